"""Numbers on brokers' wires: read and written without ever being a float."""

import json
from decimal import Decimal


def exact_json(body: bytes) -> object:
    """A document whose numbers with a point are Decimals.

    Raises:
        ValueError: it is no JSON; `NaN` and `Infinity` are none.
        RecursionError: it is nested beyond reason.
    """
    return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)


def price_text(price: Decimal) -> str:
    """`2500.5`, never `2.5E+3`."""
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
