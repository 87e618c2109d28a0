"""What follows a switch: orders that may not be sent any more end, and after a HALT what a broker holds is told to be cancelled.

The switch itself has committed; this only tidies up behind it, in small commits, and goes on after a restart.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import WORKING_STATES, OrderState, PendingAction
from vyomo_ledger.writing.claiming import PendingChange
from vyomo_ledger.writing.controls import covers
from vyomo_ledger.writing.ledger import Ledger
from vyomo_ledger.writing.reducing import is_reducing
from vyomo_ledger.writing.transaction import Step
from vyomo_service_kit.clock import Clock

log = structlog.get_logger()

ORDERS_A_COMMIT: Final = 500
_WORKING: Final = ", ".join(f"'{state}'" for state in sorted(WORKING_STATES))

_WHY: Final = f"""
    (SELECT k.reason FROM ledger.controls k WHERE k.state = l.trading AND {covers("k", "l")} ORDER BY k.changed_at DESC LIMIT 1)
"""
# A new order with a cancellation asked for is the worker's to end.
_HELD_BACK: Final = f"""
SELECT o.account_id, o.order_id, l.trading, {_WHY} AS why
FROM ledger.lanes l JOIN ledger.broker_orders o ON o.account_id = l.account_id
WHERE l.lane = 'CLAIM' AND l.trading <> 'ACTIVE' AND o.state = 'NEW' AND o.pending_action IS NULL
  AND (l.trading = 'HALTED' OR NOT {is_reducing("o")})
LIMIT $1
"""
_PENDING: Final = f"""
SELECT o.account_id, o.order_id, k.reason AS why
FROM ledger.controls k JOIN ledger.lanes l ON l.lane = 'CLAIM' AND {covers("k", "l")}
    JOIN ledger.broker_orders o ON o.account_id = l.account_id
WHERE NOT k.swept AND o.state IN ({_WORKING}) AND o.pending_action IS DISTINCT FROM 'CANCEL'
LIMIT $1
"""
_UNSWEPT: Final = "SELECT user_id, scope, scope_id, cause, version FROM ledger.controls WHERE NOT swept"
# Only the throw that was swept: a later one of the same switch has orders of its own.
_SWEPT: Final = """
UPDATE ledger.controls SET swept = true
WHERE user_id = $1 AND scope = $2 AND scope_id = $3 AND cause = $4 AND version = $5
"""


class Halting:
    """`ring(broker, account_ids)` sends the doorbell."""

    def __init__(
        self, ledger: Ledger, clock: Clock, ring: Callable[[str, list[int]], Awaitable[None]]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ring = ring

    async def run_once(self) -> None:
        """Safe to run at any time, in several processes at once."""
        while await self._serve(_HELD_BACK, self._deny):
            pass
        async with self._ledger.database.connection() as connection:
            unswept = await connection.fetch(_UNSWEPT)
        if not unswept:
            return
        while await self._serve(_PENDING, self._cancel):
            pass
        async with self._ledger.database.connection() as connection:
            for row in unswept:
                await connection.execute(_SWEPT, *row.values())

    async def _serve(self, query: str, act: Callable[[Sequence[Mapping[str, Any]]], Awaitable[int]]) -> bool:
        """Whether there may be more."""
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(query, ORDERS_A_COMMIT)
        return bool(rows) and await act(rows) > 0 and len(rows) == ORDERS_A_COMMIT

    async def _deny(self, rows: Sequence[Mapping[str, Any]]) -> int:
        reasons = {row["order_id"]: row for row in rows}
        async with self._ledger.transaction(part="halting") as transaction:
            orders = await transaction.lock((row["account_id"], row["order_id"]) for row in rows)
            # Whoever cancelled or sent one meanwhile was faster.
            unsent = [order for order in orders.values() if order.state is OrderState.NEW]
            transaction.step([self._denial(order, reasons[order.order_id]) for order in unsent])
        log.warning("halting.denied", orders=len(unsent))
        return len(unsent)

    async def _cancel(self, rows: Sequence[Mapping[str, Any]]) -> int:
        reasons = {row["order_id"]: row["why"] for row in rows}
        async with self._ledger.transaction(part="halting") as transaction:
            orders = await transaction.lock((row["account_id"], row["order_id"]) for row in rows)
            pending = [
                order
                for order in orders.values()
                if order.state in WORKING_STATES and order.pending_action is not PendingAction.CANCEL
            ]
            for order in pending:
                change = PendingChange(
                    order=order,
                    action=PendingAction.CANCEL,
                    reason=f"trading is halted: {reasons[order.order_id]}",
                    reason_code=ReasonCode.TRADING_HALTED,
                )
                transaction.ask(change, self._clock.now())
        await self._ring_for(pending)
        log.warning("halting.cancelling", orders=len(pending))
        return len(pending)

    def _denial(self, order: Order, row: Mapping[str, Any]) -> Step:
        halted = row["trading"] == "HALTED"
        update = OrderUpdate(
            state=OrderState.DENIED,
            at=self._clock.now(),
            reason_code=ReasonCode.TRADING_HALTED if halted else ReasonCode.TRADING_REDUCING,
            reason=f"{'trading is halted' if halted else 'the account may only reduce positions'}: {row['why']}",
        )
        return Step(order=order, update=update)

    async def _ring_for(self, orders: Sequence[Order]) -> None:
        by_broker: dict[str, set[int]] = {}
        for order in orders:
            by_broker.setdefault(order.broker, set()).add(order.account_id)
        for broker, account_ids in by_broker.items():
            await self._ring(broker, sorted(account_ids))
