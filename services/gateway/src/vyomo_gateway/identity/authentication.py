"""From an `Authorization` header, or a signed-in browser's cookie, to a caller."""

import asyncio
from contextlib import suppress
from typing import Final

from asyncpg import InterfaceError, PostgresError

from vyomo_contracts.messages import Principal
from vyomo_gateway.edge.problems import UnauthenticatedError
from vyomo_gateway.identity.browsers import Browsers
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.identity.store import StoredKey, find_key, touch_key
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database, RecordUnavailableError

CACHE_SECONDS: Final = 2.0
"""How long a revoked key may still be served."""
_CACHE_LIMIT: Final = 10_000
_LOOKUP_SECONDS: Final = 2.5
_TOUCH_SECONDS: Final = 60.0
"""How often the use of a key is written down at most; the record itself takes it every five minutes."""
_SCHEME: Final = "bearer "
BROWSER: Final = "\x00browser "
"""What stands before a session's token in place of a scheme: no header can hold it, so no header can claim to be a cookie."""


class Authenticator:
    """Looks keys up, and remembers each answer, good or bad, for `CACHE_SECONDS`."""

    def __init__(self, database: Database, pepper: bytes, clock: Clock, browsers: Browsers) -> None:
        self._database = database
        self._browsers = browsers
        self._pepper = pepper
        self._clock = clock
        self._known: dict[str, tuple[float, StoredKey | None]] = {}
        self._looking: dict[str, asyncio.Task[StoredKey | None]] = {}
        self._callers: dict[str, tuple[StoredKey, Caller]] = {}
        self._touched: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def authenticate(self, authorization: str | None) -> Caller:
        """The caller, by the header's value or by `BROWSER` and the cookie's.

        Raises:
            UnauthenticatedError: no key, a malformed one, or one that is unknown, revoked or expired.
            RecordUnavailableError: the key cannot be checked now.
        """
        if authorization is not None and authorization.startswith(BROWSER):
            return (await self._browsers.authenticate(authorization[len(BROWSER) :])).caller
        if not authorization:
            raise UnauthenticatedError("send your API key in the header Authorization: Bearer <key>")
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise UnauthenticatedError("the header must read Authorization: Bearer <key>")
        key = ApiKey.parse(authorization[len(_SCHEME) :].strip())
        stored = None if key is None else await self._find(key.key_id)
        if (
            key is None
            or stored is None
            or not key.matches(stored.digest, self._pepper)
            or not stored.is_valid_at(self._clock.now())
        ):
            raise UnauthenticatedError("this API key is not valid: unknown, revoked or expired")
        self._note_use(key.key_id)
        return self._caller(key.key_id, stored)

    def _caller(self, key_id: str, stored: StoredKey) -> Caller:
        known = self._callers.get(key_id)
        if known is not None and known[0] == stored:
            return known[1]
        caller = Caller(Principal(user_id=stored.user_id, key_id=key_id), stored.scopes)
        self._callers[key_id] = (stored, caller)
        return caller

    def _note_use(self, key_id: str) -> None:
        """Only ever for a key that was shown to be right: whoever knows its public part alone has not used it."""
        now = self._clock.elapsed()
        if now - self._touched.get(key_id, -_TOUCH_SECONDS) < _TOUCH_SECONDS:
            return
        self._touched[key_id] = now
        # Courtesy for the key's owner, so no caller waits for it.
        noting = asyncio.create_task(self._touch(key_id))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    async def _touch(self, key_id: str) -> None:
        # A record that takes no writes now, or a gateway that stops, loses the note and nothing else.
        with suppress(PostgresError, InterfaceError, RecordUnavailableError, TimeoutError):
            async with asyncio.timeout(_LOOKUP_SECONDS), self._database.connection() as connection:
                await touch_key(connection, key_id, self._clock.now())

    async def _find(self, key_id: str) -> StoredKey | None:
        known = self._known.get(key_id)
        if known is not None and self._clock.elapsed() - known[0] < CACHE_SECONDS:
            return known[1]
        # Many requests with one key share one look-up; it outlives a caller that hangs up.
        looking = self._looking.get(key_id)
        if looking is None:
            looking = asyncio.create_task(self._look_up(key_id))
            self._looking[key_id] = looking
            looking.add_done_callback(lambda _: self._looking.pop(key_id, None))
        return await asyncio.shield(looking)

    async def _look_up(self, key_id: str) -> StoredKey | None:
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS), self._database.connection() as connection:
                stored = await find_key(connection, key_id)
        except TimeoutError as error:
            raise RecordUnavailableError("the key could not be looked up in time") from error
        if len(self._known) >= _CACHE_LIMIT:
            self._known.clear()
            self._callers.clear()
            self._touched.clear()
        self._known[key_id] = (self._clock.elapsed(), stored)
        return stored
