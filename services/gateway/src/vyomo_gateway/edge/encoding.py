"""JSON as the API speaks it: prices are numbers that never were floats, times are ISO-8601 UTC with `Z`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, cast

import msgspec
from starlette.responses import Response

from vyomo_contracts.money import ZERO
from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.problems import InvalidRequestError, MalformedJsonError

_ONE: Final = Decimal(1)
_TO_MILLISECONDS: Final = len("2026-02-12T08:05:58.804")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_encoder: Final = msgspec.json.Encoder(decimal_format="number")

Time = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""Milliseconds and `Z`: 2026-02-12T08:05:58.804Z."""


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of what the API answers: camelCase on the wire, documented in OpenAPI from its annotations."""


def decode_json(body: bytes) -> Any:
    """The parsed body, numbers with a point as `Decimal`.

    Raises:
        MalformedJsonError: not JSON, nested absurdly deep, or with a number nobody can hold.
        InvalidRequestError: a name is there more than once.
    """
    try:
        value = _decoder.decode(body)
        _refuse_repeated_names(body, value)
    except RecursionError as error:
        raise MalformedJsonError("it is nested too deep") from error
    except InvalidOperation as error:
        raise MalformedJsonError("it has a number that is too large") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJsonError(str(error)) from error
    return value


def _refuse_repeated_names(body: bytes, value: object) -> None:
    """`{"quantity": 1, "quantity": 1000}` is one order to one reader and another to the next: it is neither here."""
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        texts = len(fields) + [*map(type, fields.values())].count(str)
        # Every name and every text has two quotes. Are there no more, then nothing was said and dropped; else look closely.
        if body.count(b'"') != 2 * texts:
            json.loads(body, object_pairs_hook=_without_repeats)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidRequestError.one(
                ReasonCode.INVALID_FIELD, name, f"{name} is there more than once; send it once"
            )
        fields[name] = value
    return fields


def encode_json(value: object) -> bytes:
    return _encoder.encode(value)


def number(value: Decimal) -> Decimal:
    """The same amount without trailing zeros or exponent: 250.5000 -> 250.5, 1E+5 -> 100000."""
    if value == value.to_integral_value():
        return value.quantize(_ONE) + ZERO
    return value.normalize()


def optional_number(value: Decimal | None) -> Decimal | None:
    return None if value is None else number(value)


def time_text(at: datetime) -> Time:
    text = at.isoformat(timespec="milliseconds")
    if not text.endswith("+00:00"):
        text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text[:_TO_MILLISECONDS] + "Z"


class JsonResponse(Response):
    media_type = "application/json"

    def __init__(
        self,
        content: View | Mapping[str, Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(_encoder.encode(content), status_code, headers)
