"""What a request says, read as Kite reads it: query and form together, unknown names ignored, the last of repeated ones wins."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from vyomo_paper_exchange.doors.kite.envelope import InputError
from vyomo_paper_exchange.doors.numbers import LARGEST_QUANTITY, decimal_in

BODY_MAX_BYTES: Final = 256 * 1024
_FIELDS_MAX: Final = 2_000

Word = TypeVar("Word", bound=StrEnum)
Parameters = Mapping[str, str]


async def body_of(request: Request) -> bytes:
    """Raises InputError for a body that no order needs."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > BODY_MAX_BYTES:
                raise InputError("The request body is too large.")
            parts.append(part)
    except ClientDisconnect:
        raise InputError("The request body is incomplete.") from None
    return b"".join(parts)


async def parameters_of(request: Request) -> dict[str, str]:
    found = dict(request.query_params)
    try:
        text = (await body_of(request)).decode()
        found.update(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX))
    except ValueError:
        raise InputError("The form cannot be read.") from None
    refuse_control_characters(*found.values())
    return found


def refuse_control_characters(*texts: str) -> None:
    """Nothing that Kite knows has any, and the database holds no NUL. Raises InputError."""
    if any(not text.isprintable() for text in texts):
        raise InputError("Control characters are not allowed.")


def needed(parameters: Parameters, name: str) -> str:
    value = parameters.get(name, "").strip()
    if not value:
        raise InputError(f"Missing or empty field `{name}`.")
    refuse_control_characters(value)
    return value


def word(parameters: Parameters, name: str, words: type[Word]) -> Word:
    try:
        return words(needed(parameters, name))
    except ValueError:
        raise InputError(f"Invalid `{name}`.") from None


def optional_word(parameters: Parameters, name: str, words: type[Word]) -> Word | None:
    return word(parameters, name, words) if parameters.get(name, "").strip() else None


def quantity(parameters: Parameters, name: str = "quantity") -> int:
    number = whole(parameters, name)
    if number is None or number <= 0:
        raise InputError(f"Invalid `{name}`. It should be a whole number above 0.")
    return number


def whole(parameters: Parameters, name: str) -> int | None:
    """None where it is absent or empty; clients send zeros and empty texts for what they do not mean."""
    text = parameters.get(name, "").strip()
    if not text:
        return None
    number = decimal_of(text, name)
    if number != number.to_integral_value() or abs(number) > LARGEST_QUANTITY:
        raise InputError(f"Invalid `{name}`.")
    return int(number)


def price(parameters: Parameters, name: str) -> Decimal | None:
    """None where it is absent, empty or zero."""
    text = parameters.get(name, "").strip()
    if not text:
        return None
    number = decimal_of(text, name)
    if number < 0:
        raise InputError(f"Invalid `{name}`.")
    return number or None


def decimal_of(text: str, name: str) -> Decimal:
    number = decimal_in(text)
    if number is None:
        raise InputError(f"Invalid `{name}`.")
    return number
