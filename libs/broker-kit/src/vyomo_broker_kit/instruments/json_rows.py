"""The objects of a JSON array, one by one: the array as a whole would be hundreds of megabytes of Python objects."""

import codecs
import json
from collections.abc import Iterator
from typing import IO, Final, cast

from vyomo_broker_kit.instruments.listed import BadRowError

_PART: Final = 256 * 1024
_LARGEST_ROW: Final = 64 * 1024
_BETWEEN: Final = " \t\r\n,"

Row = dict[str, object]


def json_rows(file: IO[bytes]) -> Iterator[Row]:
    """Raises:
    BadRowError: not an array of objects, or cut off before its end.
    """
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    text, is_open = "", False
    while part := file.read(_PART):
        text += decode(part)
        if not is_open:
            text = text.lstrip("\ufeff \t\r\n")
            if not text.startswith("["):
                raise BadRowError("not a JSON array")
            text, is_open = text[1:], True
        rows, text, is_over = _whole(text)
        yield from rows
        if is_over:
            return
        if len(text) > _LARGEST_ROW:
            raise BadRowError("a row that is none")
    raise BadRowError("cut off before its end")


def _whole(text: str) -> tuple[list[Row], str, bool]:
    """The objects that are complete, what is left, and whether the array has ended."""
    scan = json.JSONDecoder().raw_decode
    rows: list[Row] = []
    place = 0
    while True:
        while place < len(text) and text[place] in _BETWEEN:
            place += 1
        if text.startswith("]", place):
            return rows, "", True
        try:
            row, end = scan(text, place)
        except (json.JSONDecodeError, RecursionError):
            return rows, text[place:], False
        if not isinstance(row, dict):
            raise BadRowError("a row that is no object")
        rows.append(cast("Row", row))
        place = end
