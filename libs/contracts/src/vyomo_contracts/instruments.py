"""An instrument as orders are checked against it and as quotes name it."""

from datetime import date
from decimal import Decimal

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.money import RecordedPrice
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType


class Instrument(Tolerant):
    """One row of `market.instruments`. The symbol is Kite's tradingsymbol."""

    exchange: Exchange
    symbol: str
    name: str
    kind: InstrumentKind
    underlying: str | None = None
    """`EXCHANGE:SYMBOL` of the instrument a contract derives from."""
    expiry: date | None = None
    strike: RecordedPrice | None = None
    option_type: OptionType | None = None
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None = None
    """Largest quantity of one order; the exchange refuses more."""
    multiplier: int = 1
    """Units of price per unit of quantity (MCX: GOLD 100)."""
    reference_price: RecordedPrice
    """Previous close: the base of the price band."""
    band_percent: Decimal
    """Width of the daily price band on each side of the reference price, in percent; 0 means none."""

    @property
    def key(self) -> str:
        return instrument_key(self.exchange, self.symbol)

    @property
    def lower_band(self) -> Decimal | None:
        """The lowest legal price of the day: on the tick, within the band."""
        if not self.band_percent:
            return None
        lowest = self.reference_price * (100 - self.band_percent) / 100
        return -(-lowest // self.tick_size) * self.tick_size

    @property
    def upper_band(self) -> Decimal | None:
        """The highest legal price of the day."""
        if not self.band_percent:
            return None
        highest = self.reference_price * (100 + self.band_percent) / 100
        return highest // self.tick_size * self.tick_size


class Candle(Tolerant):
    """What was traded from `at` to the end of the candle's interval, or to now while it lasts."""

    at: Instant
    open_price: RecordedPrice
    high_price: RecordedPrice
    low_price: RecordedPrice
    close_price: RecordedPrice
    volume: int


class DepthLevel(Tolerant):
    price: RecordedPrice
    quantity: int
    orders: int


class Quote(Tolerant):
    """What the market shows of one instrument at one moment; depth has at most five levels a side, best first."""

    exchange: Exchange
    symbol: str
    last_price: RecordedPrice
    previous_close: RecordedPrice
    open_price: RecordedPrice
    high_price: RecordedPrice
    low_price: RecordedPrice
    volume: int
    bids: tuple[DepthLevel, ...] = ()
    asks: tuple[DepthLevel, ...] = ()
    at: Instant

    @property
    def key(self) -> str:
        return instrument_key(self.exchange, self.symbol)
