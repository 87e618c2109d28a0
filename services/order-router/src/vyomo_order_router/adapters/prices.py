"""Last prices, asked of whoever runs the market and remembered for a moment."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from vyomo_contracts import subjects
from vyomo_contracts.queries import QuoteReply, QuoteRequest
from vyomo_service_kit.bus import Bus, BusUnavailableError, RequestRefusedError
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.identifiers import IdentifierFactory

FRESH_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 0.5
_MOST_KEYS: Final = 500
_MOST_KEPT: Final = 5_000


class LastPrices:
    def __init__(self, bus: Bus, clock: Clock, identifiers: IdentifierFactory) -> None:
        self._bus = bus
        self._clock = clock
        self._identifiers = identifiers
        self._kept: dict[str, tuple[float, Decimal]] = {}

    async def find(self, keys: Iterable[str]) -> dict[str, Decimal]:
        """By `EXCHANGE:SYMBOL`; without those that have no price, and without any when nobody answers in half a second."""
        wanted = list(dict.fromkeys(keys))
        oldest = self._clock.elapsed() - FRESH_SECONDS
        missing = [key for key in wanted if self._kept.get(key, (oldest, None))[0] <= oldest]
        for start in range(0, len(missing), _MOST_KEYS):
            await self._ask(missing[start : start + _MOST_KEYS])
        return {
            key: kept[1] for key in wanted if (kept := self._kept.get(key)) is not None and kept[0] > oldest
        }

    async def _ask(self, keys: list[str]) -> None:
        message_id = self._identifiers.message_id()
        message = QuoteRequest(
            id=message_id,
            type=QuoteRequest.TYPE,
            time=self._clock.now(),
            correlation_id=message_id,
            source="order-router",
            keys=tuple(keys),
        )
        try:
            reply = await self._bus.request(
                subjects.QUOTES, message, QuoteReply, timeout_seconds=_ANSWER_SECONDS
            )
        except (BusUnavailableError, RequestRefusedError):
            return
        if len(self._kept) > _MOST_KEPT:
            self._kept.clear()
        now = self._clock.elapsed()
        self._kept.update((quote.key, (now, quote.last_price)) for quote in reply.quotes)
