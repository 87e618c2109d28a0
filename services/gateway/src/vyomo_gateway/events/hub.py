"""Everyone who is connected, and who of them is told what."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from vyomo_contracts.events import Event, PositionChanged
from vyomo_contracts.portfolio import Position
from vyomo_gateway.commands import Envelopes
from vyomo_gateway.edge.encoding import encode_json
from vyomo_gateway.edge.problems import UnauthenticatedError
from vyomo_gateway.events.feed import EventFeed
from vyomo_gateway.events.messages import message_of, user_of
from vyomo_gateway.events.prices import PriceFeed, price_entry
from vyomo_gateway.events.session import (
    POLICY_VIOLATION,
    SERVICE_RESTART,
    TRY_AGAIN_LATER,
    ClientSession,
)
from vyomo_gateway.identity.authentication import Authenticator
from vyomo_gateway.market.quotes import Quotes
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

MOST_SESSIONS_OF_USER: Final = 64
KEY_CHECK_SECONDS: Final = 3.0


class SessionHub:
    def __init__(
        self, bus: Bus, feed: EventFeed, envelopes: Envelopes, quotes: Quotes, authenticator: Authenticator
    ) -> None:
        self._feed = feed
        self._quotes = quotes
        self._authenticator = authenticator
        self._prices = PriceFeed(bus, envelopes, self.sessions)
        self._by_user: dict[str, list[ClientSession]] = {}
        feed.add_listener(self._on_event)
        bus.on_reconnected(self._on_missed)
        bus.on_missed(self._on_missed)

    def sessions(self) -> Iterable[ClientSession]:
        return (session for sessions in self._by_user.values() for session in sessions)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        checking = asyncio.create_task(
            repeat(self._check_keys, every_seconds=KEY_CHECK_SECONDS, name="sessions.check_keys")
        )
        try:
            async with self._prices.running():
                yield
        finally:
            for session in self.sessions():
                session.close(SERVICE_RESTART)
            await cancel_and_wait(checking)

    @asynccontextmanager
    async def joined(self, session: ClientSession) -> AsyncGenerator[None]:
        """Inside, the session is offered every event of its user."""
        sessions = self._by_user.setdefault(session.caller.user_id, [])
        if len(sessions) >= MOST_SESSIONS_OF_USER:
            session.close(TRY_AGAIN_LATER)
            yield
            return
        sessions.append(session)
        try:
            async with self._feed.listening():
                yield
        finally:
            sessions.remove(session)
            if not sessions:
                self._by_user.pop(session.caller.user_id, None)
            self._prices.unwatch(session.watched)

    async def require_key(self, session: ClientSession) -> None:
        """Close the session when its key is not valid any more.

        Raises:
            UnauthenticatedError: it was closed.
            RecordUnavailableError: the key cannot be checked now.
        """
        try:
            await self._authenticator.authenticate(session.authorization)
        except UnauthenticatedError:
            log.info("session.key_revoked", user_id=session.caller.user_id)
            session.close(POLICY_VIOLATION)
            raise

    async def subscribe(self, session: ClientSession, keys: Iterable[str]) -> None:
        """Watch, and tell the current prices at once."""
        before = session.watched
        session.subscribe(keys)
        new = session.watched - before
        self._prices.watch(new)
        await self._offer_quotes(session, new)

    def unsubscribe(self, session: ClientSession, keys: Iterable[str]) -> None:
        before = session.watched
        session.unsubscribe(keys)
        self._prices.unwatch(before - session.watched)

    async def watch_positions(self, session: ClientSession, positions: Iterable[Position]) -> None:
        """Prices of open positions come without being asked for."""
        before = session.watched
        for position in positions:
            session.note_position(position)
        new = session.watched - before
        self._prices.watch(new)
        await self._offer_quotes(session, new)

    async def _offer_quotes(self, session: ClientSession, keys: Iterable[str]) -> None:
        quotes = await self._quotes.ask_if_possible(keys)
        session.offer_prices(
            {key: price_entry(key, quote.last_price, quote.volume) for key, quote in quotes.items()}
        )

    def _on_event(self, event: Event) -> None:
        sessions = self._by_user.get(user_of(event))
        if not sessions:
            return
        message = encode_json(message_of(event))
        for session in sessions:
            if isinstance(event, PositionChanged):
                before = session.watched
                session.note_position(event.position)
                self._prices.watch(session.watched - before)
                self._prices.unwatch(before - session.watched)
            session.offer(message)

    async def _on_missed(self) -> None:
        """The bus was away, or brought more than could be taken: clients resume by their cursor, and the record tells them."""
        for session in self.sessions():
            session.close(SERVICE_RESTART)

    async def _check_keys(self) -> None:
        for session in list(self.sessions()):
            with suppress(RecordUnavailableError, UnauthenticatedError):
                await self.require_key(session)
