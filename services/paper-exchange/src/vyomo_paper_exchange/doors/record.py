"""The venue's rows of what comes by the doors, written in the transaction of the round that decided it, and who hears of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import structlog

from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import OrderType, Validity
from vyomo_paper_exchange.adapters.rows import Row, document, working_order_of
from vyomo_paper_exchange.adapters.statements import ORDER_COLUMNS
from vyomo_paper_exchange.domain.execution import Round
from vyomo_paper_exchange.domain.working import WorkingOrder
from vyomo_paper_exchange.doors.orders import Cause, DoorOrder, Filing, Step, StepRow, steps_of
from vyomo_service_kit.database import Connection

log = structlog.get_logger()

_FILING_COLUMNS: Final = (
    "order_id, account_id, exchange_order_id, door, tag, details, modifications, placed_at"
)
_FILE: Final = """
INSERT INTO venue.door_orders (order_id, account_id, exchange_order_id, door, tag, details, modifications, placed_at)
SELECT * FROM json_to_recordset($1::json) AS i (
    order_id text, account_id bigint, exchange_order_id text, door text, tag text, details jsonb, modifications integer,
    placed_at timestamptz
)
"""
_COUNT_CHANGES: Final = f"""
UPDATE venue.door_orders SET modifications = modifications + (order_id = ANY($2::text[]))::integer
WHERE order_id = ANY($1::text[]) RETURNING {_FILING_COLUMNS}
"""
_FILINGS: Final = f"SELECT {_FILING_COLUMNS} FROM venue.door_orders WHERE order_id = ANY($1::text[])"
_STEPS: Final = """
INSERT INTO venue.door_steps (
    order_id, step, order_type, validity, quantity, price, trigger_price, filled_quantity, average_price, reason, at
)
SELECT * FROM json_to_recordset($1::json) AS i (
    order_id text, step text, order_type text, validity text, quantity integer, price numeric, trigger_price numeric,
    filled_quantity integer, average_price numeric, reason text, at timestamptz
)
"""
_NUMBERS: Final = "SELECT nextval('venue.door_numbers') AS number FROM generate_series(1, $1)"
_ORDER_FIELDS: Final = ", ".join(f"o.{name.strip()}" for name in ORDER_COLUMNS.split(","))
_FILED_FIELDS: Final = "d.exchange_order_id, d.door, d.tag, d.details, d.modifications, d.placed_at"
_BOOK: Final = f"""
SELECT {_ORDER_FIELDS}, {_FILED_FIELDS} FROM venue.door_orders d JOIN venue.paper_orders o USING (order_id)
WHERE d.account_id = $1 AND (d.placed_at >= $2 OR o.state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING'))
ORDER BY d.placed_at, d.order_id
"""
_ONE: Final = f"""
SELECT {_ORDER_FIELDS}, {_FILED_FIELDS} FROM venue.door_orders d JOIN venue.paper_orders o USING (order_id)
WHERE d.account_id = $1 AND d.order_id = $2
"""
_HISTORY: Final = "SELECT * FROM venue.door_steps WHERE order_id = $1 ORDER BY id"
_TRADES: Final = """
SELECT trade_id, order_id, account_id, exchange, symbol, product, transaction_type, quantity, price, filled_at, basis
FROM venue.trades WHERE account_id = $1 AND filled_at >= $2 AND ($3::text IS NULL OR order_id = $3) ORDER BY filled_at, trade_id
"""

Listener = Callable[[DoorOrder, Step], None]


@dataclass(frozen=True, slots=True)
class Filed:
    """What a request at a door did to an order."""

    cause: Cause
    filing: Filing | None = None
    """Of a new order."""
    before: WorkingOrder | None = None


@dataclass(slots=True)
class Written:
    """What a round wrote of door orders, to be told once its transaction has committed."""

    orders: dict[str, tuple[DoorOrder, Step]] = field(default_factory=dict[str, "tuple[DoorOrder, Step]"])


class DoorRecord:
    """Told of every round by the executor. Rounds without a door's order cost it one look at their ids."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """`listener` hears each door order after the commit that changed it, with the step it came to; call the answer to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def write(
        self, connection: Connection, round_: Round, filed: Mapping[str, Filed] | None = None
    ) -> Written:
        changed = {each.order_id: each for each in round_.changed.values() if each.came_by_door}
        written = Written()
        if not changed:
            return written
        known = filed or {}
        filings = await self._file(connection, changed, known)
        steps: list[StepRow] = []
        for order_id, after in changed.items():
            asked = known.get(order_id)
            before = asked.before if asked else None
            rows = steps_of(before, after, asked.cause if asked else Cause.MARKET)
            steps += rows
            written.orders[order_id] = (DoorOrder(after, filings[order_id]), rows[-1].step)
        await connection.execute(_STEPS, document([row._asdict() for row in steps]))
        return written

    def tell(self, written: Written) -> None:
        for order, step in written.orders.values():
            for listener in self._listeners:
                try:
                    listener(order, step)
                except Exception:
                    # The order is placed, whoever fails to hear of it.
                    log.exception("door.listener_failed", order_id=order.filing.order_id)

    async def _file(
        self, connection: Connection, changed: Mapping[str, WorkingOrder], known: Mapping[str, Filed]
    ) -> dict[str, Filing]:
        new = [filed.filing for filed in known.values() if filed.filing is not None]
        if new:
            await connection.execute(_FILE, document([each._asdict() for each in new]))
        filings = {each.order_id: each for each in new}
        old = [order_id for order_id in changed if order_id not in filings]
        if old:
            modified = [each for each in old if each in known and known[each].cause is Cause.MODIFIED]
            rows = (
                await connection.fetch(_COUNT_CHANGES, old, modified)
                if modified
                else await connection.fetch(_FILINGS, old)
            )
            filings |= {row["order_id"]: _filing_of(dict(row)) for row in rows}
        return filings


async def draw_numbers(connection: Connection, count: int) -> list[int]:
    return [row["number"] for row in await connection.fetch(_NUMBERS, count)]


async def read_book(connection: Connection, account_id: int, since: datetime) -> list[DoorOrder]:
    """Door orders of the account placed from `since` on, and older ones that still work; oldest first."""
    return [_order_of(dict(row)) for row in await connection.fetch(_BOOK, account_id, since)]


async def read_order(connection: Connection, account_id: int, order_id: str) -> DoorOrder | None:
    row = await connection.fetchrow(_ONE, account_id, order_id)
    return None if row is None else _order_of(dict(row))


async def read_history(connection: Connection, order_id: str) -> list[StepRow]:
    rows = await connection.fetch(_HISTORY, order_id)
    return [
        StepRow(
            order_id=row["order_id"],
            step=Step(row["step"]),
            order_type=OrderType(row["order_type"]),
            validity=Validity(row["validity"]),
            quantity=row["quantity"],
            price=row["price"],
            trigger_price=row["trigger_price"],
            filled_quantity=row["filled_quantity"],
            average_price=row["average_price"],
            reason=row["reason"],
            at=row["at"],
        )
        for row in rows
    ]


async def read_trades(
    connection: Connection, account_id: int, since: datetime, order_id: str | None = None
) -> list[Fill]:
    """Trades of the account since then, whatever way their orders came; oldest first."""
    rows = await connection.fetch(_TRADES, account_id, since, order_id)
    return [Fill.model_validate(dict(row)) for row in rows]


def _order_of(row: Row) -> DoorOrder:
    return DoorOrder(working_order_of(row), _filing_of(row))


def _filing_of(row: Row) -> Filing:
    details: dict[str, Any] = orjson.loads(row["details"])
    return Filing(
        order_id=row["order_id"],
        account_id=row["account_id"],
        exchange_order_id=row["exchange_order_id"],
        door=row["door"],
        tag=row["tag"],
        details=details,
        modifications=row["modifications"],
        placed_at=row["placed_at"],
    )
