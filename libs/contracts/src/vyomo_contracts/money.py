"""Prices are `Decimal` with at most four places, quantities are `int`; no float ever touches a price."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import Field

PRICE_PLACES = 4
PRICE_QUANTUM = Decimal(1).scaleb(-PRICE_PLACES)
ZERO = Decimal(0)

Price = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=PRICE_PLACES, allow_inf_nan=False)]
"""Rupees; NUMERIC(18,4) in the database."""
Money = Annotated[Decimal, Field(max_digits=20, decimal_places=PRICE_PLACES, allow_inf_nan=False)]
"""Rupees of either sign."""
RecordedPrice = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""A price in a snapshot of ours: it was checked on its way in and its column holds four places, so nobody counts digits again
(that alone was a tenth of the CPU of reading an order)."""
RecordedMoney = Annotated[Decimal, Field(allow_inf_nan=False)]
"""The same for money of either sign."""
Quantity = Annotated[int, Field(gt=0, le=2_147_483_647)]
"""Units of the instrument; lots on MCX."""


def to_price(value: Decimal) -> Decimal:
    """Round half up to four places, as exchanges and contract notes do."""
    return value.quantize(PRICE_QUANTUM, rounding=ROUND_HALF_UP)


def is_on_tick(price: Decimal, tick_size: Decimal) -> bool:
    return price % tick_size == 0


def nearest_ticks(price: Decimal, tick_size: Decimal) -> tuple[Decimal, Decimal]:
    """The legal prices just below and just above an off-tick `price`."""
    below = price // tick_size * tick_size
    return below, below + tick_size
