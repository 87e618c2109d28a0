"""Nobody passes without a key or a signed-in browser: one layer in front of every route, so that no route can forget it.

Reading needs the scope `read`, everything else `trade`; a `userId` in the query must be the caller's own. A browser sends its cookie
whichever page makes it ask: what changes something must come from our own page, and say so with the token that only it can read.
"""

import hmac
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from vyomo_contracts.vocabulary import Scope as KeyScope
from vyomo_gateway.edge.docs_page import ASSET_PATHS
from vyomo_gateway.edge.errors import as_api_error
from vyomo_gateway.edge.problems import ForeignPageError, UserMismatchError
from vyomo_gateway.edge.shield import deny
from vyomo_gateway.identity.addresses import Origins
from vyomo_gateway.identity.authentication import BROWSER, Authenticator
from vyomo_gateway.identity.browsers import page_token, token_in
from vyomo_gateway.identity.callers import Caller

BROKER_CALLBACKS: Final = frozenset({"/api/brokers/zerodha/callback"})
"""A browser comes there from the broker without a key; the state it brings says for whom."""
PUBLIC_PATHS: Final = frozenset(
    {"/docs", "/openapi.json", "/api/health", "/api/auth/link"} | BROKER_CALLBACKS | ASSET_PATHS
)
PAGE_TOKEN_HEADER: Final = b"x-vyomo-page"
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CALLER: Final = "vyomo.caller"


class Guard:
    def __init__(self, app: ASGIApp, authenticator: Authenticator, origins: Origins) -> None:
        self._app = app
        self._authenticator = authenticator
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            scope[_CALLER] = await self._admit(scope)
        except Exception as error:
            if as_api_error(error) is None:
                raise
            await deny(scope, receive, send, error)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Caller:
        credential = credential_of(scope)
        caller = await self._authenticator.authenticate(credential)
        reads = scope.get("method", "GET") in _READING
        if credential is not None and credential.startswith(BROWSER):
            _require_own_page(scope, credential[len(BROWSER) :], reads=reads)
        caller.require(KeyScope.READ if reads else KeyScope.TRADE)
        query: bytes = scope["query_string"]
        if query:
            # Decoded first: `%75serId` is `userId` to every reader behind this one.
            for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
                if name == "userId" and value != caller.user_id:
                    raise UserMismatchError
        # What changes something is recorded with where it came from.
        return caller if reads else caller.seen_at(*self._origins.of(scope))


def credential_of(scope: Scope) -> str | None:
    """What says who asks: the `Authorization` header as it is, or else the cookie of a browser (see `BROWSER`)."""
    authorization = _header(scope, b"authorization")
    if authorization is not None:
        return authorization
    token = token_in(_header(scope, b"cookie"))
    return None if token is None else BROWSER + token


def _require_own_page(scope: Scope, token: str, *, reads: bool) -> None:
    """Raises:
    ForeignPageError: another site's page made the browser ask.
    """
    origin, host = _header(scope, b"origin"), _header(scope, b"host")
    is_own = origin is not None and urlsplit(origin).netloc == host
    if scope["type"] == "websocket":
        if not is_own:
            raise ForeignPageError
        return
    if reads:
        return
    said = _header(scope, PAGE_TOKEN_HEADER) or ""
    if not is_own or not hmac.compare_digest(said.encode(), page_token(token).encode()):
        raise ForeignPageError


def _header(scope: Scope, wanted: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == wanted:
            return value.decode("latin-1")
    return None


def caller_in(scope: Scope) -> Caller:
    """The caller `Guard` admitted."""
    caller = scope[_CALLER]
    assert isinstance(caller, Caller)
    return caller


async def _caller(connection: HTTPConnection) -> Caller:
    return caller_in(connection.scope)


CurrentCaller = Annotated[Caller, Depends(_caller)]
