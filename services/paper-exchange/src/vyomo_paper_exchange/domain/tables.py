"""Dated market rules as rows. Every row names its source and the days it holds for; the newest row in force wins."""

import csv
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources

Row = Mapping[str, str]

_PACKAGE = "vyomo_paper_exchange"


@cache
def rows_of(table: str) -> tuple[Row, ...]:
    """All rows of a built-in table, in file order."""
    text = resources.files(_PACKAGE).joinpath("data", f"{table}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def is_in_force(row: Row, on: date) -> bool:
    """True from `effective_from` to `effective_to`, both included; an empty end is open."""
    starts, ends = row["effective_from"], row["effective_to"]
    return date.fromisoformat(starts) <= on and (not ends or on <= date.fromisoformat(ends))


def in_force(rows: Iterable[Row], on: date) -> tuple[Row, ...]:
    return tuple(row for row in rows if is_in_force(row, on))


def optional_decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None
