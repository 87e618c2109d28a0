"""Current prices, asked of whoever runs the market."""

from collections.abc import Iterable
from typing import Final

from vyomo_contracts import subjects
from vyomo_contracts.instruments import Quote
from vyomo_contracts.queries import QuoteReply, QuoteRequest
from vyomo_gateway.commands import Envelopes
from vyomo_service_kit.bus import Bus, BusUnavailableError, RequestRefusedError

MOST_KEYS: Final = 500
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
        wanted = tuple(dict.fromkeys(keys))[:MOST_KEYS]
        if not wanted:
            return {}
        message = QuoteRequest(**self._envelopes.head(QuoteRequest), keys=wanted)
        reply = await self._bus.request(subjects.QUOTES, message, QuoteReply, timeout_seconds=_SECONDS)
        return {quote.key: quote for quote in reply.quotes}

    async def ask_if_possible(self, keys: Iterable[str]) -> dict[str, Quote]:
        """The same; nothing when nobody answers, for those who have an older price to show."""
        try:
            return await self.ask(keys)
        except (BusUnavailableError, RequestRefusedError):
            return {}
