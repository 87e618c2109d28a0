"""Market orders of programs are forbidden at Angel One since February 2026: what is sent instead is a limit order that trades at once
or, beyond the protection, waits.

Source: Angel One's notice of 25 February 2026; NSE/INVG/67858. The percentages are those that other members publish for the same purpose.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import InstrumentKind, TransactionType

_LINEAR: Final = ((Decimal(100), Decimal(2)), (Decimal(500), Decimal(1)), (None, Decimal("0.5")))
_OPTIONS: Final = (
    (Decimal(10), Decimal(5)),
    (Decimal(100), Decimal(3)),
    (Decimal(500), Decimal(2)),
    (None, Decimal(1)),
)
"""Percent of the price, for prices below the first number of each row."""


def protected_price(instrument: Instrument, side: TransactionType, reference: Decimal) -> Decimal:
    """`reference` (last price, or a stop's trigger) moved against the one who trades: on the tick, inside the day's band.

    Rounded away from the market: on a cheap contract the percentage is less than a tick.
    """
    rows = _OPTIONS if instrument.kind is InstrumentKind.OPTION else _LINEAR
    percent = next(percent for below, percent in rows if below is None or reference < below)
    tick = instrument.tick_size
    if side is TransactionType.BUY:
        price = (reference * (100 + percent) / 100 / tick).to_integral_value(ROUND_CEILING) * tick
    else:
        price = (reference * (100 - percent) / 100 / tick).to_integral_value(ROUND_FLOOR) * tick
    lowest, highest = instrument.lower_band or tick, instrument.upper_band
    price = max(price, lowest)
    return price if highest is None else min(price, highest)
