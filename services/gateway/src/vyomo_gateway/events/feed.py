"""The live events of all accounts, taken from the bus only while somebody here needs them.

A core subscription, not a durable consumer: what is missed while it is off, or while the bus is down, is in the record.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from nats.errors import Error as NatsError

from vyomo_contracts import subjects
from vyomo_contracts.events import BrokerEvents, Event
from vyomo_service_kit.bus import Bus, BusUnavailableError

log = structlog.get_logger()

Listener = Callable[[Event], None]

LINGER_SECONDS: Final = 10.0
"""The subscription outlives its last user by this, so that a client who waits for each order pays for it once."""
_SUBSCRIBE_SECONDS: Final = 1


class EventFeed:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: list[Listener] = []
        self._users = 0
        self._running = True  # the broker starts what is registered; `rest` stops it
        self._turn = asyncio.Lock()
        self._rest_later: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None
        # A stored message carries its publisher's inbox as reply subject: an answer from here would pose as the stream's.
        self._subscriber = bus.broker.subscriber(
            subjects.ALL_EVENTS, no_reply=True, title="LiveEvents", description="Pushed to WebSocket clients."
        )
        self._subscriber(self._receive)

    def add_listener(self, listener: Listener) -> None:
        """`listener` is called with each event while anybody is `listening`; it must be quick."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Inside, every event that is published is seen, save while the bus is down."""
        self._users += 1
        try:
            await self._start()
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._rest_soon()

    async def rest(self) -> None:
        """Stop receiving if nobody listens."""
        async with self._turn:
            if self._running and not self._users:
                self._running = False
                await self._subscriber.stop()

    async def _start(self) -> None:
        if self._rest_later is not None:
            self._rest_later.cancel()
            self._rest_later = None
        if self._running:
            return
        async with self._turn:
            if self._running:
                return
            await self._subscriber.start()
            self._running = True
            # Only after this answer is the subscription known to the server. If it fails, the reconnect resumes everyone.
            with suppress(NatsError, BusUnavailableError, OSError, TimeoutError):
                await self._bus.until_subscribed(limit_seconds=_SUBSCRIBE_SECONDS)

    def _rest_soon(self) -> None:
        if self._rest_later is not None:
            self._rest_later.cancel()
        self._rest_later = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._begin_rest)

    def _begin_rest(self) -> None:
        self._resting = asyncio.create_task(self.rest())

    async def _receive(self, message: BrokerEvents) -> None:
        for event in message.items:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:
                    log.exception("events.listener_failed", kind=event.kind)
