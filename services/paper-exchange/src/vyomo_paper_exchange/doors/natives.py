"""Orders of a paper account that were placed through Vyomo, as a door's client sees them: orders of the account placed elsewhere.

They are the record's: a change of one is asked for there, and carried out as if Vyomo's own API had asked.
"""

from datetime import datetime
from typing import Final

from vyomo_contracts.orders import OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import PendingAction
from vyomo_ledger.writing import Ledger, PendingChange
from vyomo_paper_exchange.adapters.rows import working_order_of
from vyomo_paper_exchange.adapters.statements import ORDER_COLUMNS
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.doors.orders import DoorOrder, Filing
from vyomo_paper_exchange.doors.record import draw_numbers
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Row

SHOWN_MAX: Final = 2_000
"""Of the account's newest orders in the record."""

_FIELDS: Final = ", ".join(f"o.{name.strip()}" for name in ORDER_COLUMNS.split(","))
_BOOK: Final = f"""
SELECT {_FIELDS}, b.tag FROM (
    SELECT order_id, tag, origin, created_at FROM ledger.broker_orders
    WHERE account_id = $1 ORDER BY sequence DESC LIMIT {SHOWN_MAX}
) b JOIN venue.paper_orders o USING (order_id)
WHERE b.origin = 'vyomo' AND b.created_at >= $2
ORDER BY o.id
"""
_ONE: Final = f"""
SELECT {_FIELDS}, b.tag FROM ledger.broker_orders b JOIN venue.paper_orders o USING (account_id, order_id)
WHERE b.account_id = $1 AND b.order_id = $2 AND b.origin = 'vyomo'
"""


class NativeOrders:
    def __init__(self, ledger: Ledger, executor: PaperExecutor, clock: Clock) -> None:
        self._ledger = ledger
        self._executor = executor
        self._clock = clock

    async def book(self, account_id: int, since: datetime) -> list[DoorOrder]:
        """Accepted from `since` on and seen by the exchange, oldest first."""
        async with self._ledger.database.connection() as connection:
            return [_order_of(row) for row in await connection.fetch(_BOOK, account_id, since)]

    async def one(self, account_id: int, order_id: str) -> DoorOrder | None:
        async with self._ledger.database.connection() as connection:
            row = await connection.fetchrow(_ONE, account_id, order_id)
        return None if row is None else _order_of(row)

    async def draw_number(self) -> int:
        async with self._ledger.database.connection() as connection:
            (number,) = await draw_numbers(connection, 1)
        return number

    async def ask(
        self, account_id: int, order_id: str, changes: OrderModification | None = None
    ) -> Refusal | None:
        """Ask for a cancellation, or for `changes`. None: it is asked for, and the exchange is rung."""
        action = PendingAction.CANCEL if changes is None else PendingAction.MODIFY
        async with self._ledger.transaction(part="doors") as transaction:
            order = (await transaction.lock([(account_id, order_id)])).get(order_id)
            if order is None:
                return Refusal(ReasonCode.ORDER_NOT_FOUND, f"there is no order {order_id!r}")
            if order.state.is_terminal:
                return Refusal(
                    ReasonCode.ORDER_NOT_PENDING, f"the order is {order.state.status.lower()} already"
                )
            if order.pending_action is not None:
                return Refusal(
                    ReasonCode.ACTION_PENDING, "an earlier change of the order is not answered yet"
                )
            reason = "cancelled at a front door" if changes is None else None
            transaction.ask(PendingChange(order, action, changes, reason), self._clock.now())
        self._executor.ring([account_id])
        return None


def _order_of(row: Row) -> DoorOrder:
    working = working_order_of(dict(row))
    filing = Filing(
        order_id=working.order_id,
        account_id=working.account_id,
        exchange_order_id=working.order_id,
        door="kite",
        tag=row["tag"],
        details={},
        modifications=0,
        placed_at=working.created_at,
    )
    return DoorOrder(working, filing)
