"""Candles, asked of whoever runs the market."""

from datetime import datetime
from typing import Final

from vyomo_contracts import subjects
from vyomo_contracts.instruments import Candle
from vyomo_contracts.queries import CandleReply, CandleRequest
from vyomo_contracts.vocabulary import CandleInterval
from vyomo_gateway.commands import Envelopes
from vyomo_gateway.edge.problems import RefusedError
from vyomo_service_kit.bus import Bus

_SECONDS: Final = 10.0
"""A year of an option's days takes the market two seconds, and requests wait for each other."""


class Candles:
    def __init__(self, bus: Bus, envelopes: Envelopes) -> None:
        self._bus = bus
        self._envelopes = envelopes

    async def ask(
        self, key: str, interval: CandleInterval, begin: datetime | None, end: datetime | None
    ) -> tuple[Candle, ...]:
        """Oldest first.

        Raises:
            RefusedError: the instrument is not listed, or there are too many candles.
            BusUnavailableError: nobody answers.
        """
        message = CandleRequest(
            **self._envelopes.head(CandleRequest), key=key, interval=interval, begin=begin, end=end
        )
        reply = await self._bus.request(subjects.CANDLES, message, CandleReply, timeout_seconds=_SECONDS)
        if reply.problem is not None:
            raise RefusedError(reply.problem)
        return reply.candles
