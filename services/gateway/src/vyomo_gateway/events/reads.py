"""The caller's events in the one order of all events, below the horizon: nothing appears there any more."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Select, Table, bindparam, literal_column, select, union_all

from vyomo_contracts.risk import RiskDecision
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.orders.reads import event_view
from vyomo_gateway.orders.schemas import OrderEventView
from vyomo_gateway.orders.trails import actor_in
from vyomo_gateway.reading import Reader, Records, Statement
from vyomo_gateway.risk.schemas import RiskEventView
from vyomo_ledger.sequence import HORIZON_SQL
from vyomo_ledger.tables import order_events, risk_events
from vyomo_service_kit.database import Row

_HORIZON = Statement(select(literal_column(HORIZON_SQL).label("horizon")))


def _events_of(table: Table) -> Select[*tuple[Any, ...]]:
    columns = table.c
    return (
        select(columns.sequence, columns.type, columns.recorded_at, columns.body)
        .where(
            columns.user_id == bindparam("user_id"),
            columns.sequence > bindparam("since"),
            columns.sequence < bindparam("horizon"),
        )
        .order_by(columns.sequence)
        .limit(bindparam("limit"))
    )


# Each table is read in its own order and no further than the page, so the two are merged without sorting a day's events.
_BOTH = union_all(
    _events_of(order_events).subquery().select(), _events_of(risk_events).subquery().select()
).subquery()
_EVENTS = Statement(_BOTH.select().order_by(_BOTH.c.sequence).limit(bindparam("limit")))
REPLAY_PAGE: Final = 500


class EventRecord:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def horizon_cursor(self, caller: Caller) -> int:
        """The newest point from which a reader can resume without missing anything."""
        async with self._records.read(caller) as reader:
            return await _horizon(reader) - 1

    async def page(
        self, caller: Caller, since: int, limit: int
    ) -> tuple[Sequence[OrderEventView | RiskEventView], int]:
        """Events after `since`, and the cursor to ask with next."""
        async with self._records.read(caller) as reader:
            # The horizon first: it only rises, and what is below it is visible to the query that follows.
            horizon = await _horizon(reader)
            rows = await reader.rows(
                _EVENTS, user_id=caller.user_id, since=since, horizon=horizon, limit=limit
            )
        events = [_view(row) for row in rows]
        return events, events[-1].sequence if len(events) == limit else horizon - 1


async def _horizon(reader: Reader) -> int:
    row = await reader.row(_HORIZON)
    assert row is not None
    return row["horizon"]


def _view(row: Row) -> OrderEventView | RiskEventView:
    if row["type"].startswith("risk."):
        body = msgspec.json.decode(row["body"])
        return RiskEventView.of(
            RiskDecision.model_validate_json(row["body"]), row["sequence"], actor_in(body)
        )
    return event_view(row)
