"""Current prices, asked of whoever runs the market."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from vyomo_contracts import subjects
from vyomo_contracts.instruments import Quote
from vyomo_contracts.queries import QuoteReply, QuoteRequest
from vyomo_gateway.commands import Envelopes
from vyomo_service_kit.bus import Bus, BusUnavailableError, RequestRefusedError

MOST_KEYS: Final = 500
"""Most instruments of one question; more are asked for in several, at the same time."""
_SECONDS: Final = 1.0


class Quotes:
    def __init__(self, bus: Bus, envelopes: Envelopes) -> None:
        self._bus = bus
        self._envelopes = envelopes

    async def ask(self, keys: Iterable[str]) -> dict[str, Quote]:
        """Quotes by instrument, of those that have one.

        Raises:
            BusUnavailableError: nobody answers.
        """
        return await _in_chunks(keys, self._ask)

    async def ask_if_possible(self, keys: Iterable[str]) -> dict[str, Quote]:
        """The same; without those nobody answers for, whose asker has an older price to show."""
        return await _in_chunks(keys, self._ask_if_possible)

    async def _ask_if_possible(self, keys: Sequence[str]) -> Sequence[Quote]:
        try:
            return await self._ask(keys)
        except (BusUnavailableError, RequestRefusedError):
            return ()

    async def _ask(self, keys: Sequence[str]) -> Sequence[Quote]:
        message = QuoteRequest(**self._envelopes.head(QuoteRequest), keys=tuple(keys))
        reply = await self._bus.request(subjects.QUOTES, message, QuoteReply, timeout_seconds=_SECONDS)
        return reply.quotes


async def _in_chunks(
    keys: Iterable[str], ask: Callable[[Sequence[str]], Awaitable[Sequence[Quote]]]
) -> dict[str, Quote]:
    wanted = list(dict.fromkeys(keys))
    chunks = [wanted[start : start + MOST_KEYS] for start in range(0, len(wanted), MOST_KEYS)]
    answers = await asyncio.gather(*map(ask, chunks))
    return {quote.key: quote for quotes in answers for quote in quotes}
