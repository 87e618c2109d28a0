"""Instruments and quotes as they are shown."""

from datetime import date
from decimal import Decimal
from typing import Literal

from vyomo_contracts.instruments import Candle, DepthLevel, Instrument, Quote
from vyomo_contracts.vocabulary import Broker, CandleInterval, Exchange, InstrumentKind, OptionType
from vyomo_gateway.edge.encoding import Time, View, number, optional_number, time_text
from vyomo_service_kit.database import Row


class InstrumentView(View, frozen=True, kw_only=True):
    instrument: str
    """`EXCHANGE:SYMBOL`, as quotes and subscriptions name it."""
    exchange: Exchange
    symbol: str
    name: str
    kind: InstrumentKind
    underlying: str | None
    expiry: date | None
    strike: Decimal | None
    option_type: OptionType | None
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None
    """Largest quantity of one order."""
    multiplier: int
    reference_price: Decimal
    lower_band: Decimal | None
    upper_band: Decimal | None

    @classmethod
    def of(cls, instrument: Instrument) -> "InstrumentView":
        return cls(
            instrument=instrument.key,
            exchange=instrument.exchange,
            symbol=instrument.symbol,
            name=instrument.name,
            kind=instrument.kind,
            underlying=instrument.underlying,
            expiry=instrument.expiry,
            strike=optional_number(instrument.strike),
            option_type=instrument.option_type,
            lot_size=instrument.lot_size,
            tick_size=number(instrument.tick_size),
            freeze_quantity=instrument.freeze_quantity,
            multiplier=instrument.multiplier,
            reference_price=number(instrument.reference_price),
            lower_band=optional_number(instrument.lower_band),
            upper_band=optional_number(instrument.upper_band),
        )


class DepthLevelView(View, frozen=True, kw_only=True):
    price: Decimal
    quantity: int
    orders: int

    @classmethod
    def of(cls, level: DepthLevel) -> "DepthLevelView":
        return cls(price=number(level.price), quantity=level.quantity, orders=level.orders)


class DepthView(View, frozen=True, kw_only=True):
    """At most five levels a side, best first."""

    buy: list[DepthLevelView]
    sell: list[DepthLevelView]


class QuoteView(View, frozen=True, kw_only=True):
    instrument: str
    exchange: Exchange
    symbol: str
    last_price: Decimal
    change: Decimal
    """From the previous close."""
    open: Decimal
    high: Decimal
    low: Decimal
    previous_close: Decimal
    volume: int
    depth: DepthView
    price_time: Time

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        return cls(
            instrument=quote.key,
            exchange=quote.exchange,
            symbol=quote.symbol,
            last_price=number(quote.last_price),
            change=number(quote.last_price - quote.previous_close),
            open=number(quote.open_price),
            high=number(quote.high_price),
            low=number(quote.low_price),
            previous_close=number(quote.previous_close),
            volume=quote.volume,
            depth=DepthView(
                buy=[DepthLevelView.of(level) for level in quote.bids],
                sell=[DepthLevelView.of(level) for level in quote.asks],
            ),
            price_time=time_text(quote.at),
        )


class CandleView(View, frozen=True, kw_only=True):
    time: Time
    """When it starts."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int

    @classmethod
    def of(cls, candle: Candle) -> "CandleView":
        return cls(
            time=time_text(candle.at),
            open=number(candle.open_price),
            high=number(candle.high_price),
            low=number(candle.low_price),
            close=number(candle.close_price),
            volume=candle.volume,
        )


class CandlesAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    instrument: str
    interval: CandleInterval
    candles: list[CandleView]
    """Oldest first, of trading sessions only; the last one grows while its interval lasts."""


class InstrumentsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    instruments: list[InstrumentView]


class MasterView(View, frozen=True, kw_only=True):
    broker: Broker
    loaded_at: Time | None
    """null until the first: live accounts of the broker are then checked against the built-in market."""
    listed: int
    skipped: int
    """Rows that could not be understood."""
    problem: str | None
    """Why the last one was not taken; the one before it stays in use."""
    looked_at: Time

    @classmethod
    def of(cls, row: Row) -> "MasterView":
        loaded_at = row["loaded_at"]
        return cls(
            broker=Broker(row["broker"]),
            loaded_at=None if loaded_at is None else time_text(loaded_at),
            listed=row["listed"],
            skipped=row["skipped"],
            problem=row["problem"],
            looked_at=time_text(row["looked_at"]),
        )


class MastersAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    masters: list[MasterView]


class QuotesAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    quotes: list[QuoteView]
    missing: list[str]
    """Instruments that were asked for and have no price now."""
