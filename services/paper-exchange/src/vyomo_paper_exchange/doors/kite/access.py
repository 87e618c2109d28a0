"""Signing in as at Kite: a login page hands out request tokens, which are changed for an access token until 06:00 in India.

Request tokens work once, for two minutes. A second sign-in with the same API key ends the first one's token.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from pydantic import SecretStr
from starlette.requests import HTTPConnection

from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.kite.envelope import InputError, TokenError
from vyomo_paper_exchange.doors.logins import DoorLogin, DoorLogins, DoorSessions, Profile, digest
from vyomo_paper_exchange.doors.orders import DoorAccount
from vyomo_service_kit.clock import Clock

DOOR: Final = "kite"
REQUEST_TOKEN_SECONDS: Final = 120
SESSIONS_END: Final = time(6)
_REMEMBERED_SECONDS: Final = 5.0
_REQUEST_TOKENS_MAX: Final = 10_000
_KIND: Final = "access"

BAD_TOKEN: Final = "Token is invalid or has expired."  # noqa: S105 - the broker's words
BAD_SESSION: Final = "Incorrect `api_key` or `access_token`."

Draw = Callable[[], str]
"""A new unguessable token: 32 letters and digits."""


def draw_token() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Caller:
    account: DoorAccount
    profile: Profile
    api_key: str


@dataclass(frozen=True, slots=True)
class Session:
    """What a sign-in came to."""

    login: DoorLogin
    access_token: SecretStr
    public_token: SecretStr
    signed_in_at: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class KiteAccess:
    def __init__(
        self, logins: DoorLogins, sessions: DoorSessions, clock: Clock, draw: Draw = draw_token
    ) -> None:
        self._logins = logins
        self._sessions = sessions
        self._clock = clock
        self._draw = draw
        self._request_tokens: dict[str, tuple[int, float]] = {}
        self._known: dict[tuple[str, str], _Known] = {}

    async def login_of(self, api_key: str) -> DoorLogin:
        """Raises InputError for a key that opens nothing."""
        found = await self._logins.of_key(DOOR, api_key)
        if not found:
            raise InputError("Invalid `api_key`.")
        return found[0]

    def issue_request_token(self, login: DoorLogin) -> str:
        now = self._clock.elapsed()
        self._request_tokens = {token: kept for token, kept in self._request_tokens.items() if kept[1] > now}
        while len(self._request_tokens) >= _REQUEST_TOKENS_MAX:
            self._request_tokens.pop(next(iter(self._request_tokens)))
        token = self._draw()
        self._request_tokens[token] = (login.account.account_id, now + REQUEST_TOKEN_SECONDS)
        return token

    async def exchange(self, api_key: str, request_token: str, checksum: str) -> Session:
        """Raises TokenError for anything that is not right: which part is wrong, nobody needs to learn."""
        # Also a wrong checksum uses the token up: it can not be tried again and again.
        account_id, until = self._request_tokens.pop(request_token, (0, 0.0))
        login = await self._logins.of_account(DOOR, account_id)
        if login is None or login.api_secret is None or until <= self._clock.elapsed():
            raise TokenError(BAD_TOKEN)
        text = api_key + request_token + login.api_secret.get_secret_value()
        expected = hashlib.sha256(text.encode()).hexdigest()
        is_right = hmac.compare_digest(login.api_key.get_secret_value().encode(), api_key.encode())
        if not (is_right and hmac.compare_digest(expected.encode(), checksum.encode())):
            raise TokenError(BAD_TOKEN)
        at = self._clock.now()
        session = Session(login, SecretStr(self._draw()), SecretStr(self._draw()), at)
        await self._sessions.begin(
            login,
            DOOR,
            {_KIND: session.access_token.get_secret_value()},
            at=at,
            valid_until=next_end(at),
            alone=True,
        )
        self.forget()
        return session

    async def end(self, api_key: str, access_token: str) -> None:
        await self.caller_of(api_key, access_token)
        await self._sessions.end(DOOR, access_token)
        self.forget()

    async def caller(self, connection: HTTPConnection) -> Caller:
        """Whose request this is, by its `Authorization: token key:token`. Raises TokenError."""
        scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
        api_key, found, token = credentials.strip().partition(":")
        if scheme.lower() != "token" or not found:
            raise TokenError(BAD_SESSION)
        return await self.caller_of(api_key, token)

    async def caller_of(self, api_key: str, access_token: str) -> Caller:
        """Raises TokenError."""
        key = (digest(api_key), digest(access_token))
        known = self._known.get(key)
        if known is None or known.until <= self._clock.elapsed():
            known = self._known[key] = await self._find(api_key, access_token)
        return known.caller

    def forget(self) -> None:
        """After a session began or ended."""
        self._known.clear()

    async def _find(self, api_key: str, access_token: str) -> _Known:
        now = self._clock.now()
        self._known = {key: each for key, each in self._known.items() if each.until > self._clock.elapsed()}
        session = await self._sessions.find(DOOR, _KIND, access_token, now)
        if session is None or not hmac.compare_digest(session.key_digest, digest(api_key)):
            raise TokenError(BAD_SESSION)
        login = await self._logins.of_account(DOOR, session.account_id)
        # Fresh credentials end what was opened with the old ones.
        if login is None or digest(login.api_key.get_secret_value()) != session.key_digest:
            raise TokenError(BAD_SESSION)
        left = (next_end(now) - now) / timedelta(seconds=1)
        return _Known(
            Caller(login.account, login.profile, api_key),
            self._clock.elapsed() + min(_REMEMBERED_SECONDS, left),
        )


def next_end(at: datetime) -> datetime:
    """The next 06:00 in India."""
    here = at.astimezone(IST)
    end = here.replace(hour=SESSIONS_END.hour, minute=0, second=0, microsecond=0)
    return (end if here < end else end + timedelta(days=1)).astimezone(at.tzinfo)
