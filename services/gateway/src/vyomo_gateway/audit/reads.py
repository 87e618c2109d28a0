"""The record's events of one user, newest first, narrowed by what is asked for."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Select, Table, bindparam, cast, func, null, select, union_all
from sqlalchemy.dialects.postgresql import JSONB, TEXT
from sqlalchemy.types import BigInteger

from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import account_events, order_events, risk_events

FILTERS: Final = frozenset({"account_id", "order_id", "symbol", "type", "actor", "begin", "end"})
_OF_ORDERS: Final = frozenset({"order_id", "symbol"})
"""What no decision about limits and no account's event is about."""

_Rows = Select[*tuple[Any, ...]]


@cache
def events(given: frozenset[str]) -> Statement:
    """Events below `before`, at most `limit`. Only what is given is a condition, so that each question has the plan it deserves."""
    tables = [order_events] if given & _OF_ORDERS else [order_events, risk_events, account_events]
    parts = [_of_table(table, given).subquery().select() for table in tables]
    both = union_all(*parts).subquery() if len(parts) > 1 else parts[0].subquery()
    return Statement(both.select().order_by(both.c.sequence.desc()).limit(bindparam("limit")))


def arguments(asked: Mapping[str, object]) -> tuple[frozenset[str], dict[str, object]]:
    """Which filters are given, and their values."""
    values = {name: value for name, value in asked.items() if value is not None}
    assert values.keys() <= FILTERS
    given = frozenset(values)
    if "account_id" in given:
        values["of_account"] = f'[{{"account_id": {values["account_id"]}}}]'
    return given, values


def _of_table(table: Table, given: frozenset[str]) -> _Rows:
    c = table.c
    account = c.account_id if "account_id" in c else cast(null(), BigInteger)
    rows: _Rows = (
        select(
            c.sequence,
            c.type,
            c.recorded_at,
            cast(c.body, TEXT).label("body"),
            account.label("account_id"),
        )
        .where(c.user_id == bindparam("user_id"), c.sequence < bindparam("before"))
        .order_by(c.sequence.desc())
        .limit(bindparam("limit"))
    )
    if "account_id" in given:
        # A decision about all of a user's accounts, or a broker's, was one about each.
        rows = rows.where(c.account_id == bindparam("account_id") if "account_id" in c else _decides_on())
    if "order_id" in given:
        rows = rows.where(c.order_id == bindparam("order_id"))
    if "symbol" in given:
        rows = rows.where(c.body["order"]["symbol"].astext == bindparam("symbol"))
    if "type" in given:
        rows = rows.where(func.starts_with(c.type, bindparam("type")))
    if "actor" in given:
        by = c.body["by"]
        actor = bindparam("actor")
        rows = rows.where((by["key_id"].astext == actor) | (by["component"].astext == actor))
    if "begin" in given:
        rows = rows.where(c.recorded_at >= bindparam("begin"))
    if "end" in given:
        rows = rows.where(c.recorded_at < bindparam("end"))
    return rows


def _decides_on() -> Any:
    accounts = risk_events.c.body["accounts"]
    return accounts.contains(cast(bindparam("of_account"), JSONB))
