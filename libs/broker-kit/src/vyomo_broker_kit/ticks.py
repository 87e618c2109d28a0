"""A price as a broker's feed tells it, whatever its wire format."""

from typing import NamedTuple


class DecodeError(ValueError):
    """Bytes that are no message of this protocol. The only error a decoder raises."""


class TickLevel(NamedTuple):
    price: int
    """In units of 1/scale, as the tick's own prices."""
    quantity: int
    orders: int


class Tick(NamedTuple):
    """One packet. Prices are whole numbers of 1/`scale` of a rupee: exact, and made to Decimals by whoever shows one.

    Times are seconds since the epoch, None where the broker did not say.
    """

    token: int
    """The broker's number of the instrument."""
    segment: int
    """The broker's number of the exchange segment the token belongs to."""
    scale: int
    last_price: int
    """0 where the packet has none: before the day's first trade, and in packets of depth alone."""
    last_quantity: int = 0
    average_price: int = 0
    volume: int = 0
    buy_quantity: int = 0
    sell_quantity: int = 0
    open_price: int = 0
    high_price: int = 0
    low_price: int = 0
    close_price: int = 0
    """Of the previous day."""
    last_trade_time: int | None = None
    exchange_time: float | None = None
    open_interest: int = 0
    bids: tuple[TickLevel, ...] = ()
    """Best first."""
    asks: tuple[TickLevel, ...] = ()
