"""One row of a broker's list, in our words."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    exchange: Exchange
    symbol: str
    """Kite's tradingsymbol, whichever broker lists it."""
    trading_symbol: str
    """The broker's own name."""
    token: str
    """The broker's number, as its feed and its orders want it."""
    name: str
    kind: InstrumentKind
    expiry: date | None = None
    strike: Decimal | None = None
    option_type: OptionType | None = None
    lot_size: int
    """Quantities of orders are multiples of it. On MCX, where they are lots, 1."""
    tick_size: Decimal
    multiplier: int = 1


class BadRowError(ValueError):
    """A row that cannot be understood. It is counted and left out; a text of ours, never the row's."""
