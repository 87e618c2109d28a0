"""Questions asked over core NATS, answered by whoever serves the subject; no answer within the limit means unavailable."""

from typing import ClassVar

from pydantic import Field

from vyomo_contracts.instruments import Quote
from vyomo_contracts.messages import Envelope, Strict, Tolerant


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
