"""What the market answers over the bus: quotes on request, and ticks of the instruments somebody watches.

Raw nats-py on purpose: a FastStream message costs twenty times as much, and prices are many and small.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from nats.aio.msg import Msg

from vyomo_contracts import subjects
from vyomo_contracts.instruments import Quote
from vyomo_contracts.messages import Failure, Problem
from vyomo_contracts.queries import LastPrice, QuoteReply, QuoteRequest, TickFrame, WatchInstruments
from vyomo_contracts.reasons import ReasonCode
from vyomo_paper_exchange.domain.market.pricing import snapshot_at, time_of
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.identifiers import IdentifierFactory
from vyomo_service_kit.runtime import cancel_and_wait

log = structlog.get_logger()

SOURCE: Final = "paper-exchange"
WATCHED_MAX: Final = 2_000
"""Instruments followed at once; more are left to quotes on request."""


class MarketFeed:
    """Serves quotes and publishes ticks. While nothing is watched it has no timer."""

    def __init__(self, bus: Bus, rounds: Rounds, clock: Clock, identifiers: IdentifierFactory) -> None:
        self._bus = bus
        self._rounds = rounds
        self._clock = clock
        self._identifiers = identifiers
        self._leases: dict[str, float] = {}
        self._sent: dict[str, LastPrice] = {}
        self._watched = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        client = self._bus.client
        # Queue groups: of several processes one answers a request, and one follows an instrument.
        quotes = await client.subscribe(subjects.QUOTES, queue=SOURCE, cb=self._on_quotes)
        watches = await client.subscribe(subjects.WATCH_INSTRUMENTS, queue=SOURCE, cb=self._on_watch)
        await self._bus.until_subscribed()
        publishing = asyncio.create_task(self._publish_ticks())
        try:
            yield
        finally:
            await cancel_and_wait(publishing)
            if client.is_connected:
                await quotes.drain()
                await watches.unsubscribe()

    async def _on_quotes(self, message: Msg) -> None:
        try:
            request = QuoteRequest.model_validate_json(message.data)
        except ValueError as error:
            await message.respond(failure(ReasonCode.INVALID_FIELD, str(error)))
            return
        try:
            quotes = await self._quotes(request.keys)
        except RecordUnavailableError as error:
            await message.respond(failure(ReasonCode.RECORD_UNAVAILABLE, str(error)))
            return
        except Exception:
            log.exception("market.quotes_failed", keys=len(request.keys))
            await message.respond(failure(ReasonCode.INTERNAL_ERROR, "the quotes could not be made"))
            return
        reply = QuoteReply(
            id=self._identifiers.message_id(),
            type=QuoteReply.TYPE,
            time=self._clock.now(),
            correlation_id=request.correlation_id,
            causation_id=request.id,
            source=SOURCE,
            quotes=quotes,
        )
        await message.respond(reply.model_dump_json().encode())

    async def _quotes(self, keys: Iterable[str]) -> tuple[Quote, ...]:
        view = await self._rounds.view(_pairs(keys))
        quotes: list[Quote] = []
        for key in keys:
            listing = view.listing_of(key)
            if listing is not None:
                quotes.append(view.quote(listing))
                # An instrument's first quote of the day searches the day's range: orders must not wait for a whole list of them.
                await asyncio.sleep(0)
        return tuple(quotes)

    async def _on_watch(self, message: Msg) -> None:
        try:
            watch = WatchInstruments.model_validate_json(message.data)
        except ValueError as error:
            log.warning("market.watch_unreadable", error=str(error))
            return
        until = self._clock.elapsed() + watch.lease_seconds
        for key in watch.keys:
            if key in self._leases or len(self._leases) < WATCHED_MAX:
                self._leases[key] = max(until, self._leases.get(key, 0.0))
        if self._leases:
            self._watched.set()

    async def _publish_ticks(self) -> None:
        while True:
            await self._watched.wait()
            now = self._clock.now()
            await asyncio.sleep((time_of(snapshot_at(now) + 1) - now) / timedelta(seconds=1))
            try:
                await self._publish_frame()
            except RecordUnavailableError as error:
                log.warning("market.record_unavailable", why=str(error))
                await asyncio.sleep(1.0)
            except Exception:
                log.exception("market.publishing_failed")
                await asyncio.sleep(1.0)

    async def _publish_frame(self) -> None:
        self._drop_ended_leases()
        if not self._leases:
            self._watched.clear()
            self._sent.clear()
            return
        view = await self._rounds.view(_pairs(self._leases))
        ticks: list[LastPrice] = []
        for key in self._leases:
            listing = view.listing_of(key)
            if listing is None:
                continue
            snapshot = view.snapshot(listing)
            tick = LastPrice(key=key, price=f"{snapshot.last_price:f}", volume=snapshot.volume)
            if self._sent.get(key) != tick:
                self._sent[key] = tick
                ticks.append(tick)
        if ticks:
            identifier = self._identifiers.message_id()
            frame = TickFrame(
                id=identifier,
                type=TickFrame.TYPE,
                time=self._clock.now(),
                correlation_id=identifier,
                source=SOURCE,
                ticks=tuple(ticks),
            )
            await self._bus.publish(subjects.TICKS, frame)

    def _drop_ended_leases(self) -> None:
        now = self._clock.elapsed()
        for key in [key for key, until in self._leases.items() if until <= now]:
            del self._leases[key]
            self._sent.pop(key, None)


def _pairs(keys: Iterable[str]) -> list[tuple[str, str]]:
    return [(exchange, symbol) for exchange, _, symbol in (key.partition(":") for key in keys)]


def failure(code: ReasonCode, message: str) -> bytes:
    return Failure(problem=Problem(code=code, message=message)).model_dump_json().encode()
