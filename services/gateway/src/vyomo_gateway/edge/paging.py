"""Pages: `limit` and an opaque `cursor`; an answer carries `nextCursor` when there is more."""

import base64
import binascii
from typing import Annotated, Final

from fastapi import Depends, Query
from msgspec import Struct

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.problems import InvalidRequestError
from vyomo_gateway.edge.requests import LARGEST_ID

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 500
_PREFIX: Final = b"v1:"

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


def cursor_at(position: int) -> str:
    return base64.urlsafe_b64encode(_PREFIX + str(position).encode()).rstrip(b"=").decode()


def _position_of(cursor: str) -> int:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        prefix, digits = raw[: len(_PREFIX)], raw[len(_PREFIX) :]
        if prefix == _PREFIX and digits.isdigit() and len(digits) <= 19:
            return min(int(digits), LARGEST_ID)
    except (binascii.Error, ValueError):
        pass
    raise InvalidRequestError.one(
        ReasonCode.INVALID_FIELD, "cursor", "cursor must be the nextCursor of an earlier answer"
    )
