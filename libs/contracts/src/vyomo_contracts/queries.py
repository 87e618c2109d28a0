"""Questions asked over core NATS, answered by whoever serves the subject; no answer within the limit means unavailable."""

from typing import ClassVar, Final

from pydantic import Field

from vyomo_contracts.instruments import Candle, Quote
from vyomo_contracts.messages import Envelope, Instant, Problem, Strict, Tolerant
from vyomo_contracts.vocabulary import CandleInterval

CANDLES_MAX: Final = 2_000
"""Most candles of one answer."""
CANDLES_USUAL: Final = 300
"""How many are meant where no beginning is named."""


class InstrumentRef(Strict):
    exchange: str
    symbol: str


class QuoteRequest(Envelope):
    TYPE: ClassVar[str] = "market.quotes"
    keys: tuple[str, ...] = Field(min_length=1, max_length=500)
    """`EXCHANGE:SYMBOL` each."""


class QuoteReply(Envelope):
    TYPE: ClassVar[str] = "market.quotes_reply"
    quotes: tuple[Quote, ...]
    """Only the instruments that have a price; ask for others again later."""


class CandleRequest(Envelope):
    TYPE: ClassVar[str] = "market.candles"
    key: str
    """`EXCHANGE:SYMBOL`."""
    interval: CandleInterval
    begin: Instant | None = None
    """No candle that starts before; None asks for the last `CANDLES_USUAL` up to `end`."""
    end: Instant | None = None
    """No candle that starts after; None is now."""


class CandleReply(Envelope):
    TYPE: ClassVar[str] = "market.candles_reply"
    candles: tuple[Candle, ...] = ()
    """Oldest first; the last one still grows while its interval lasts."""
    problem: Problem | None = None
    """Why there are none: not listed, or more than `CANDLES_MAX`. Fields as the API calls them."""


class WatchInstruments(Envelope):
    """Interest in live prices, repeated by the asker while it lasts; the publisher forgets it after `lease_seconds`."""

    TYPE: ClassVar[str] = "market.watch"
    keys: tuple[str, ...]
    lease_seconds: float = Field(gt=0, le=60)


class LastPrice(Tolerant):
    """One instrument in a tick frame; prices are strings, exact."""

    key: str
    price: str
    volume: int


class TickFrame(Envelope):
    """All watched instruments that moved within one publishing interval."""

    TYPE: ClassVar[str] = "market.ticks"
    ticks: tuple[LastPrice, ...]
