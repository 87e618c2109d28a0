"""Numbers as clients of brokers write them."""

from decimal import Decimal, InvalidOperation
from typing import Final

LARGEST_QUANTITY: Final = 2**31 - 1
_LARGEST_PRICE: Final = Decimal(10**12)
_MOST_DECIMALS: Final = 10


def decimal_in(text: str) -> Decimal | None:
    """None for what is no number that a price or a quantity could be."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    is_sane = number.is_finite() and abs(number) <= _LARGEST_PRICE and isinstance(exponent, int)
    return number if is_sane and int(exponent) >= -_MOST_DECIMALS else None
