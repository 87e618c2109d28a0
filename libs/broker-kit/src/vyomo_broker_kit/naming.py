"""A broker's own names of instruments. Ours is (exchange, Kite's tradingsymbol)."""

from dataclasses import dataclass
from typing import Protocol

from vyomo_contracts.vocabulary import Exchange


@dataclass(frozen=True, slots=True)
class BrokerInstrument:
    exchange: Exchange
    symbol: str
    """Ours."""
    broker_symbol: str
    """The broker's: `SBIN-EQ` at Angel One, the same as ours at Zerodha."""
    token: int
    """Of the exchange (Angel One's symboltoken, Kite's exchange_token)."""
    lot_size: int
    """In the broker's own units of quantity."""


class UnnamedInstrumentError(LookupError):
    """The broker's list does not have this instrument."""


class InstrumentNames(Protocol):
    async def of(self, exchange: Exchange, symbol: str) -> BrokerInstrument:
        """Raises `UnnamedInstrumentError`."""
        ...

    async def of_broker_symbol(self, exchange: Exchange, broker_symbol: str) -> BrokerInstrument:
        """Raises `UnnamedInstrumentError`."""
        ...

    async def of_token(self, exchange: Exchange, token: int) -> BrokerInstrument:
        """Raises `UnnamedInstrumentError`."""
        ...
