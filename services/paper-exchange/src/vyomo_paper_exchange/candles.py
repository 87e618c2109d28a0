"""Candles on request over the bus."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog
from nats.aio.msg import Msg

from vyomo_contracts import subjects
from vyomo_contracts.instruments import Candle as CandleShown
from vyomo_contracts.messages import Problem
from vyomo_contracts.queries import CANDLES_MAX, CANDLES_USUAL, CandleReply, CandleRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import CandleInterval
from vyomo_paper_exchange.handlers import SOURCE, failure
from vyomo_paper_exchange.history import Candle, CandleHistory
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.identifiers import IdentifierFactory

log = structlog.get_logger()

MINUTES: Final[Mapping[CandleInterval, int | None]] = {
    CandleInterval.MINUTE: 1,
    CandleInterval.THREE_MINUTES: 3,
    CandleInterval.FIVE_MINUTES: 5,
    CandleInterval.FIFTEEN_MINUTES: 15,
    CandleInterval.HALF_HOUR: 30,
    CandleInterval.HOUR: 60,
    CandleInterval.DAY: None,
}
"""None is one for each session."""


class CandleAnswers:
    """Serves `CANDLES`."""

    def __init__(
        self, bus: Bus, rounds: Rounds, history: CandleHistory, clock: Clock, identifiers: IdentifierFactory
    ) -> None:
        self._bus = bus
        self._rounds = rounds
        self._history = history
        self._clock = clock
        self._identifiers = identifiers

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        client = self._bus.client
        subscription = await client.subscribe(subjects.CANDLES, queue=SOURCE, cb=self._on_request)
        await self._bus.until_subscribed()
        try:
            yield
        finally:
            if client.is_connected:
                await subscription.drain()

    async def _on_request(self, message: Msg) -> None:
        try:
            request = CandleRequest.model_validate_json(message.data)
        except ValueError as error:
            await message.respond(failure(ReasonCode.INVALID_FIELD, str(error)))
            return
        try:
            answer = await self._answer(request)
        except RecordUnavailableError as error:
            await message.respond(failure(ReasonCode.RECORD_UNAVAILABLE, str(error)))
            return
        except Exception:
            log.exception("market.candles_failed", instrument=request.key, interval=request.interval)
            await message.respond(failure(ReasonCode.INTERNAL_ERROR, "the candles could not be drawn"))
            return
        reply = CandleReply(
            id=self._identifiers.message_id(),
            type=CandleReply.TYPE,
            time=self._clock.now(),
            correlation_id=request.correlation_id,
            causation_id=request.id,
            source=SOURCE,
            candles=() if isinstance(answer, Problem) else tuple(map(_shown, answer)),
            problem=answer if isinstance(answer, Problem) else None,
        )
        await message.respond(reply.model_dump_json().encode())

    async def _answer(self, request: CandleRequest) -> list[Candle] | Problem:
        exchange, _, symbol = request.key.partition(":")
        listing = (await self._rounds.view([(exchange, symbol)])).listing_of(request.key)
        if listing is None:
            return Problem(
                code=ReasonCode.UNKNOWN_SYMBOL,
                message=f"{symbol} is not known on {exchange}; GET /api/instruments?q={symbol} finds similar ones",
                field="symbol",
            )
        spans = self._history.spans(
            listing.instrument.exchange,
            MINUTES[request.interval],
            request.begin,
            request.end or self._clock.now(),
            CANDLES_USUAL if request.begin is None else CANDLES_MAX + 1,
        )
        if len(spans) > CANDLES_MAX:
            return Problem(
                code=ReasonCode.INVALID_FIELD,
                message=f"from is too early: an answer has at most {CANDLES_MAX} candles of {request.interval}, "
                f"and from {spans[1].at:%Y-%m-%dT%H:%M:%SZ} on there are so many",
                field="from",
            )
        return await self._history.candles(listing, spans)


def _shown(candle: Candle) -> CandleShown:
    return CandleShown(
        at=candle.at,
        open_price=candle.opening,
        high_price=candle.high,
        low_price=candle.low,
        close_price=candle.close,
        volume=candle.volume,
    )
