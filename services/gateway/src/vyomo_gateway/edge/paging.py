"""Pages: `limit` and an opaque `cursor`; an answer carries `nextCursor` when there is more."""

import base64
import binascii
import re
from typing import Annotated, Final

from fastapi import Depends, Query
from msgspec import Struct

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.problems import InvalidRequestError
from vyomo_gateway.edge.requests import LARGEST_ID

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 500
_PREFIX: Final = b"v1:"
_KEY_PREFIX: Final = b"k1:"
_SEPARATOR: Final = "\x1f"  # no exchange, symbol or product contains it
_KEY: Final = re.compile(r"[^\x00-\x1f\x7f]*(?:\x1f[^\x00-\x1f\x7f]*){2}")

Limit = Annotated[int, Query(ge=1, le=LARGEST_LIMIT, description=f"Rows a page, at most {LARGEST_LIMIT}")]


class Page(Struct, frozen=True):
    """Which rows to read: those whose position is below `before`, at most `limit`."""

    limit: int
    before: int


async def page_of(
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=64, description="`nextCursor` of the page before")] = None,
) -> Page:
    return Page(limit, LARGEST_ID if cursor is None else _position_of(cursor))


Paged = Annotated[Page, Depends(page_of)]


class InstrumentPage(Struct, frozen=True):
    """Which rows to read: those after this exchange, symbol and product, at most `limit`."""

    limit: int
    exchange: str = ""
    symbol: str = ""
    product: str = ""


async def instrument_page_of(
    limit: Limit = LARGEST_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=512, description="`nextCursor` of the page before")
    ] = None,
) -> InstrumentPage:
    return InstrumentPage(limit) if cursor is None else InstrumentPage(limit, *_instrument_of(cursor))


PagedByInstrument = Annotated[InstrumentPage, Depends(instrument_page_of)]
"""The largest page unless asked otherwise: what an account holds is mostly wanted at once."""


def cursor_at(position: int) -> str:
    return _cursor(_PREFIX, str(position))


def cursor_after(exchange: str, symbol: str, product: str = "") -> str:
    return _cursor(_KEY_PREFIX, _SEPARATOR.join((exchange, symbol, product)))


def _cursor(prefix: bytes, text: str) -> str:
    return base64.urlsafe_b64encode(prefix + text.encode()).rstrip(b"=").decode()


def _position_of(cursor: str) -> int:
    digits = _text_in(cursor, _PREFIX)
    if digits is not None and digits.isascii() and digits.isdigit() and len(digits) <= 19:
        return min(int(digits), LARGEST_ID)
    raise _not_a_cursor()


def _instrument_of(cursor: str) -> list[str]:
    text = _text_in(cursor, _KEY_PREFIX)
    if text is not None and _KEY.fullmatch(text):
        return text.split(_SEPARATOR)
    raise _not_a_cursor()


def _text_in(cursor: str, prefix: bytes) -> str | None:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return raw[len(prefix) :].decode() if raw.startswith(prefix) else None
    except (binascii.Error, ValueError):
        return None


def _not_a_cursor() -> InvalidRequestError:
    return InvalidRequestError.one(
        ReasonCode.INVALID_FIELD, "cursor", "cursor must be the nextCursor of an earlier answer"
    )
