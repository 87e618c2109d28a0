"""Signing in as at Angel One: client code, PIN and a one-time password give three tokens, until 05:00 in India.

Several sign-ins of one client stand beside each other. The refresh and the feed token follow from the session's own token, so that
logging out ends all three, and none of them tells another.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from pydantic import SecretStr
from pyotp.totp import TOTP
from starlette.requests import HTTPConnection

from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.logins import DoorLogin, DoorLogins, DoorSessions, Profile, digest
from vyomo_paper_exchange.doors.orders import DoorAccount
from vyomo_paper_exchange.doors.smartapi.envelope import AppError, GatewayError, encode
from vyomo_service_kit.clock import Clock

DOOR: Final = "smartapi"
SESSIONS_END: Final = time(5)
STEPS_TOLERATED: Final = 1
"""Half minutes by which a client's clock may be wrong."""
_REMEMBERED_SECONDS: Final = 5.0
_JWT: Final = "jwt"
_REFRESH: Final = "refresh"
_FEED: Final = "feed"

Draw = Callable[[], bytes]
"""64 unguessable bytes."""


def draw_signature() -> bytes:
    return secrets.token_bytes(64)


@dataclass(frozen=True, slots=True)
class Caller:
    account: DoorAccount
    profile: Profile
    api_key: str


@dataclass(frozen=True, slots=True)
class Session:
    jwt: SecretStr
    refresh: SecretStr
    feed: SecretStr


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    until: float


class SmartAccess:
    def __init__(
        self, logins: DoorLogins, sessions: DoorSessions, clock: Clock, draw: Draw = draw_signature
    ) -> None:
        self._logins = logins
        self._sessions = sessions
        self._clock = clock
        self._draw = draw
        self._known: dict[tuple[str, str], _Known] = {}

    async def sign_in(self, api_key: str, client_code: str, pin: str, totp: str) -> Session:
        """Raises GatewayError for an API key that is none, AppError for the rest."""
        if not await self._logins.of_key(DOOR, api_key):
            raise _bad_key()
        # A PIN and a password are asked of each account of this key and client: two users may have the same.
        found = await self._logins.of_client(DOOR, client_code, api_key)
        with_pin = [each for each in found if each.pin is not None and _same(each.pin, pin)]
        if not with_pin:
            raise AppError("AB1007", "Invalid clientcode or password")
        now = self._clock.now()
        login = next((each for each in with_pin if _is_totp(each.totp_secret, totp, now)), None)
        if login is None:
            raise AppError("AB1050", "Invalid totp")
        return await self._begin(login)

    async def renew(self, api_key: str, refresh_token: str) -> Session:
        """New tokens for a refresh token, which is used up."""
        session = await self._sessions.find(DOOR, _REFRESH, refresh_token, self._clock.now())
        login = None if session is None else await self._logins.of_account(DOOR, session.account_id)
        if session is None or login is None:
            raise AppError("AB8050", "Invalid Refresh Token")
        if not _same(login.api_key, api_key) or session.key_digest != digest(api_key):
            raise _bad_key()
        if not await self._sessions.end(DOOR, refresh_token):
            raise AppError("AB8050", "Invalid Refresh Token")
        return await self._begin(login)

    async def end(self, connection: HTTPConnection) -> None:
        jwt = bearer_of(connection)
        for token in (jwt, _derived(_REFRESH, jwt), _derived(_FEED, jwt)):
            await self._sessions.end(DOOR, token)
        self.forget()

    async def caller(self, connection: HTTPConnection) -> Caller:
        """Whose request this is, by its bearer token and API key. Raises GatewayError."""
        api_key = connection.headers.get("x-privatekey", "").strip()
        if not api_key:
            raise _bad_key()
        caller = await self.caller_of(bearer_of(connection))
        if not hmac.compare_digest(caller.api_key.encode(), api_key.encode()):
            raise _bad_key()
        return caller

    async def caller_of(self, jwt: str) -> Caller:
        return await self._caller_of(_JWT, jwt)

    async def caller_of_feed(self, feed_token: str) -> Caller:
        return await self._caller_of(_FEED, feed_token)

    def forget(self) -> None:
        """After a session ended."""
        self._known.clear()

    async def _caller_of(self, kind: str, token: str) -> Caller:
        key = (kind, digest(token))
        known = self._known.get(key)
        if known is None or known.until <= self._clock.elapsed():
            known = self._known[key] = await self._find(kind, token)
        return known.caller

    async def _begin(self, login: DoorLogin) -> Session:
        at = self._clock.now()
        until = next_end(at)
        jwt = self._jwt(login, at, until)
        session = Session(SecretStr(jwt), SecretStr(_derived(_REFRESH, jwt)), SecretStr(_derived(_FEED, jwt)))
        tokens = {
            _JWT: jwt,
            _REFRESH: session.refresh.get_secret_value(),
            _FEED: session.feed.get_secret_value(),
        }
        await self._sessions.begin(login, DOOR, tokens, at=at, valid_until=until, alone=False)
        return session

    async def _find(self, kind: str, token: str) -> _Known:
        now = self._clock.now()
        self._known = {key: each for key, each in self._known.items() if each.until > self._clock.elapsed()}
        session = await self._sessions.find(DOOR, kind, token, now)
        login = None if session is None else await self._logins.of_account(DOOR, session.account_id)
        # Fresh credentials end what was opened with the old ones.
        if session is None or login is None or digest(login.api_key.get_secret_value()) != session.key_digest:
            raise GatewayError("AG8001", "Invalid Token")
        left = (next_end(now) - now) / timedelta(seconds=1)
        caller = Caller(login.account, login.profile, login.api_key.get_secret_value())
        return _Known(caller, self._clock.elapsed() + min(_REMEMBERED_SECONDS, left))

    def _jwt(self, login: DoorLogin, at: datetime, until: datetime) -> str:
        """It looks like one, and its end can be read; what it opens is decided by the record alone."""
        claims = {
            "username": login.account.client_id,
            "roles": 0,
            "usertype": "USER",
            "iat": int(at.timestamp()),
            "exp": int(until.timestamp()),
        }
        parts = (encode({"alg": "HS512"}), encode(claims), self._draw())
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def bearer_of(connection: HTTPConnection) -> str:
    """Raises GatewayError. Clients that keep the token with its prefix may send the prefix twice."""
    scheme, _, token = connection.headers.get("authorization", "").strip().partition(" ")
    token = token.strip().removeprefix("Bearer ").strip()
    if scheme.lower() != "bearer" or not token:
        raise GatewayError("AG8003", "Token missing")
    return token


def next_end(at: datetime) -> datetime:
    """The next 05:00 in India."""
    here = at.astimezone(IST)
    end = here.replace(hour=SESSIONS_END.hour, minute=0, second=0, microsecond=0)
    return (end if here < end else end + timedelta(days=1)).astimezone(at.tzinfo)


def _bad_key() -> GatewayError:
    return GatewayError("AG8004", "Invalid API Key")


def _same(secret: SecretStr, given: str) -> bool:
    return hmac.compare_digest(secret.get_secret_value().encode(), given.encode())


def _is_totp(secret: SecretStr | None, given: str, at: datetime) -> bool:
    if secret is None:
        return False
    try:
        totp = TOTP(secret.get_secret_value().replace(" ", ""))
        return totp.verify(given, for_time=at, valid_window=STEPS_TOLERATED)
    except ValueError:
        return False  # a secret that is none opens nothing


def _derived(kind: str, jwt: str) -> str:
    return hashlib.sha256(f"{kind}:{jwt}".encode()).hexdigest()
