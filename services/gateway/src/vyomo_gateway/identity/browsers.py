"""Browsers that are signed in: let in by a link that works once, recognised by a cookie, kept apart from other pages by a token."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Final

from vyomo_contracts.messages import Principal
from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.edge.problems import UnauthenticatedError
from vyomo_gateway.identity.callers import Caller
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database

COOKIE: Final = "vyomo_session"
LINK_VALID_FOR: Final = timedelta(minutes=15)
IDLE: Final = timedelta(minutes=30)
"""A page that is open asks every few seconds: this is for one that is not."""
LONGEST: Final = timedelta(hours=12)
REMEMBERED: Final = timedelta(days=30)
"""How long sessions that are over are kept."""
CACHE_SECONDS: Final = 2.0
"""How long an ended session may still be served."""
_TOUCH: Final = timedelta(minutes=1)
_CACHE_LIMIT: Final = 1_000
_SCOPES: Final = frozenset({Scope.READ, Scope.TRADE})

_ADD_LINK: Final = "INSERT INTO identity.sign_in_links (digest, user_id, expires_at) VALUES ($1, $2, $3)"
_FORGET_LINKS: Final = "DELETE FROM identity.sign_in_links WHERE expires_at <= $1"
_TAKE_LINK: Final = "DELETE FROM identity.sign_in_links WHERE digest = $1 RETURNING user_id, expires_at"
_FORGET_SESSIONS: Final = "DELETE FROM identity.browser_sessions WHERE least(ended_at, expires_at) <= $1"
_OPEN: Final = """
INSERT INTO identity.browser_sessions
    (digest, session_id, user_id, address, user_agent, created_at, last_seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
"""
_FIND: Final = """
SELECT session_id, user_id, last_seen_at, expires_at FROM identity.browser_sessions
WHERE digest = $1 AND ended_at IS NULL
"""
_SEEN: Final = "UPDATE identity.browser_sessions SET last_seen_at = $2 WHERE digest = $1"
_END: Final = """
UPDATE identity.browser_sessions SET ended_at = $3 WHERE user_id = $1 AND session_id = $2 AND ended_at IS NULL
RETURNING digest
"""
_LIST: Final = """
SELECT session_id, address, user_agent, created_at, last_seen_at, expires_at FROM identity.browser_sessions
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_seen_at > $3 ORDER BY created_at DESC
"""


@dataclass(frozen=True, slots=True)
class BrowserSession:
    session_id: str
    user_id: str
    last_seen_at: datetime
    expires_at: datetime

    def is_over(self, now: datetime) -> bool:
        return now >= self.expires_at or now - self.last_seen_at >= IDLE

    @property
    def caller(self) -> Caller:
        return Caller(Principal(user_id=self.user_id, key_id=f"browser:{self.session_id}"), _SCOPES)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as its owner is shown it."""

    session_id: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


async def add_link(connection: Connection, user_id: str, now: datetime) -> str:
    """What the link carries behind its `#`, which browsers send to nobody; good once and for a quarter of an hour."""
    token = secrets.token_urlsafe(32)
    await connection.execute(_FORGET_LINKS, now)
    await connection.execute(_ADD_LINK, _digest(token), user_id, now + LINK_VALID_FOR)
    return token


class Browsers:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[float, BrowserSession | None]] = {}

    async def sign_in(
        self, link_token: str, *, address: str | None, user_agent: str | None
    ) -> tuple[str, BrowserSession]:
        """The cookie's new value, and the session.

        Raises:
            UnauthenticatedError: the link is unknown, used or too old.
        """
        now, token = self._clock.now(), secrets.token_urlsafe(32)
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_TAKE_LINK, _digest(link_token))
            if row is None or row["expires_at"] <= now:
                raise UnauthenticatedError(
                    "this sign-in link was used already or is too old; ./vyomo link makes a new one"
                )
            await connection.execute(_FORGET_SESSIONS, now - REMEMBERED)
            session = BrowserSession(secrets.token_hex(8), row["user_id"], now, now + LONGEST)
            await connection.execute(
                _OPEN,
                _digest(token),
                session.session_id,
                session.user_id,
                address,
                user_agent,
                now,
                session.expires_at,
            )
        return token, session

    async def authenticate(self, token: str) -> BrowserSession:
        """Whose browser this is.

        Raises:
            UnauthenticatedError: nobody's, or not any more.
            RecordUnavailableError: that cannot be found out now.
        """
        digest, now = _digest(token), self._clock.now()
        known = self._known.get(digest)
        if known is None or self._clock.elapsed() - known[0] >= CACHE_SECONDS:
            known = (self._clock.elapsed(), await self._find(digest, now))
            if len(self._known) >= _CACHE_LIMIT:
                self._known.clear()
            self._known[digest] = known
        session = known[1]
        if session is None or session.is_over(now):
            raise UnauthenticatedError("you are not signed in any more; ./vyomo link makes a sign-in link")
        return session

    async def list(self, user_id: str) -> Sequence[ListedSession]:
        now = self._clock.now()
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LIST, user_id, now, now - IDLE)
        return [ListedSession(**dict(row)) for row in rows]

    async def end(self, user_id: str, session_id: str) -> bool:
        """True if the user had such a session: it lets nobody in from now on."""
        async with self._database.transaction() as connection:
            digest = await connection.fetchval(_END, user_id, session_id, self._clock.now())
        if digest is None:
            return False
        self._known.pop(digest, None)
        return True

    async def _find(self, digest: bytes, now: datetime) -> BrowserSession | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, digest)
            if row is None:
                return None
            session = BrowserSession(**dict(row))
            if not session.is_over(now) and now - session.last_seen_at >= _TOUCH:
                await connection.execute(_SEEN, digest, now)
        return session


def token_in(cookie_header: str | None) -> str | None:
    """The session's cookie, if there is one."""
    if cookie_header is None:
        return None
    try:
        morsel = SimpleCookie(cookie_header).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and morsel.value else None


def page_token(token: str) -> str:
    """What our own page sends along when it changes something, and another site's cannot know: made from the cookie it cannot read."""
    digest = hmac.digest(token.encode(), b"vyomo page token", hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
