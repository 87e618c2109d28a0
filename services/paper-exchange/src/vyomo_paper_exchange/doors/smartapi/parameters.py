"""What a request says: a JSON object whose values are mostly texts. Unknown names are ignored, a null is as if it were absent."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar, cast

from starlette.requests import ClientDisconnect, Request

from vyomo_paper_exchange.doors.numbers import LARGEST_QUANTITY, decimal_in
from vyomo_paper_exchange.doors.smartapi.envelope import InputError, decode

BODY_MAX_BYTES: Final = 256 * 1024

Word = TypeVar("Word", bound=StrEnum)
Meaning = TypeVar("Meaning")
Parameters = Mapping[str, str]


async def document_of(request: Request) -> dict[str, object]:
    """The JSON object of the body; of an empty body an empty one. Raises InputError."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > BODY_MAX_BYTES:
                raise InputError("The request body is too large")
            parts.append(part)
    except ClientDisconnect:
        raise InputError("The request body is incomplete") from None
    body = b"".join(parts)
    document = decode(body) if body.strip() else {}
    if not isinstance(document, dict):
        raise InputError("A JSON object is expected")
    return cast("dict[str, object]", document)


async def parameters_of(request: Request) -> dict[str, str]:
    return texts_of(await document_of(request))


def texts_of(document: Mapping[str, object]) -> dict[str, str]:
    """Single values as texts. Raises InputError for control characters: the broker knows none, the database holds no NUL."""
    found: dict[str, str] = {}
    for name, value in document.items():
        if value is not None and not isinstance(value, dict | list):
            text = str(value).strip()
            if not text.isprintable():
                raise InputError(f"Invalid {name}")
            found[name] = text
    return found


def needed(parameters: Parameters, name: str) -> str:
    value = parameters.get(name, "")
    if not value:
        raise InputError(f"{name} is required")
    return value


def word(parameters: Parameters, name: str, words: type[Word]) -> Word:
    try:
        return words(needed(parameters, name))
    except ValueError:
        raise InputError(f"Invalid {name}") from None


def meant(
    parameters: Parameters, name: str, meanings: Mapping[str, Meaning], code: str = "AB1007"
) -> Meaning:
    """What the broker's word stands for."""
    meaning = meanings.get(needed(parameters, name))
    if meaning is None:
        raise InputError(f"Invalid {name}", code)
    return meaning


def quantity(parameters: Parameters, name: str = "quantity") -> int:
    number = whole(parameters, name)
    if number is None or number <= 0:
        raise InputError(f"Invalid {name}: it should be a whole number above 0")
    return number


def whole(parameters: Parameters, name: str) -> int | None:
    """None where it is absent or empty."""
    text = parameters.get(name, "")
    if not text:
        return None
    number = decimal_of(text, name)
    if number != number.to_integral_value() or abs(number) > LARGEST_QUANTITY:
        raise InputError(f"Invalid {name}")
    return int(number)


def price(parameters: Parameters, name: str) -> Decimal | None:
    """Rupees. None where it is absent, empty or zero."""
    text = parameters.get(name, "")
    if not text:
        return None
    number = decimal_of(text, name)
    if number < 0:
        raise InputError(f"Invalid {name}")
    return number or None


def decimal_of(text: str, name: str) -> Decimal:
    number = decimal_in(text)
    if number is None:
        raise InputError(f"Invalid {name}")
    return number
