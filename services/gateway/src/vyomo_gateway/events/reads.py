"""The caller's order events in the one order of all events, below the horizon: nothing appears there any more."""

from typing import Final

from sqlalchemy import bindparam, literal_column, select

from vyomo_gateway.identity.authentication import Caller
from vyomo_gateway.orders.reads import event_view
from vyomo_gateway.orders.schemas import OrderEventView
from vyomo_gateway.reading import Reader, Records, Statement
from vyomo_ledger.sequence import HORIZON_SQL
from vyomo_ledger.tables import order_events

_c = order_events.c
_HORIZON = Statement(select(literal_column(HORIZON_SQL).label("horizon")))
_EVENTS = Statement(
    select(_c.sequence, _c.type, _c.recorded_at, _c.body)
    .where(
        _c.user_id == bindparam("user_id"),
        _c.sequence > bindparam("since"),
        _c.sequence < bindparam("horizon"),
    )
    .order_by(_c.sequence)
    .limit(bindparam("limit"))
)
REPLAY_PAGE: Final = 500


class EventRecord:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def horizon_cursor(self, caller: Caller) -> int:
        """The newest point from which a reader can resume without missing anything."""
        async with self._records.read(caller) as reader:
            return await _horizon(reader) - 1

    async def page(self, caller: Caller, since: int, limit: int) -> tuple[list[OrderEventView], int]:
        """Events after `since`, and the cursor to ask with next."""
        async with self._records.read(caller) as reader:
            # The horizon first: it only rises, and what is below it is visible to the query that follows.
            horizon = await _horizon(reader)
            rows = await reader.rows(
                _EVENTS, user_id=caller.user_id, since=since, horizon=horizon, limit=limit
            )
        events = [event_view(row) for row in rows]
        return events, events[-1].sequence if len(events) == limit else horizon - 1


async def _horizon(reader: Reader) -> int:
    row = await reader.row(_HORIZON)
    assert row is not None
    return row["horizon"]
