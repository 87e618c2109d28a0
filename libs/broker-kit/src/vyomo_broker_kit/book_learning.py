"""What is learnt of an account's orders from one reading of its broker's books, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vyomo_broker_kit.answers import answer_in
from vyomo_broker_kit.change_outcomes import given_up, is_carried_out
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.matching import Matches, match_book
from vyomo_broker_kit.port import BookEntry, TradeEntry
from vyomo_broker_kit.resolving import Absence, has_unexplained_trade, update_of_absence
from vyomo_broker_kit.trade_fills import DERIVED, FillChange, fill_change, traded
from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.lifecycle import Applied, Illegal, OrderUpdate, apply
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import WORKING_STATES, OrderState
from vyomo_ledger.writing import (
    LedgerTransaction,
    PendingParameters,
    Step,
    alert_reopened,
    alert_unsent_exits,
    raise_alert,
    stop_accepting,
)
from vyomo_service_kit.clock import Clock

WORKING_SQL: Final = ", ".join(f"'{state}'" for state in sorted(WORKING_STATES))
"""Spelled out, so that the planner sees that the index of working orders is the one."""

# Also orders that are over: one given up as not found may appear, one cancelled may have filled before.
_CONCERNED: Final = f"""
SELECT account_id, order_id FROM ledger.broker_orders WHERE account_id = $1 AND state IN ({WORKING_SQL})
UNION
SELECT account_id, order_id FROM ledger.broker_orders
WHERE account_id = $1 AND broker <> 'paper' AND broker_order_id IS NOT NULL AND broker_order_id = ANY($2::text[])
UNION
SELECT account_id, order_id FROM ledger.broker_orders
WHERE account_id = $1 AND broker <> 'paper' AND broker_tag = ANY($3::text[])
UNION
SELECT account_id, order_id FROM ledger.fills
WHERE account_id = $1 AND basis = 'derived' AND filled_at > now() - interval '1 day'
"""
# Ages by the record's own clock: the one that set the deadline.
_CALLS: Final = """
SELECT order_id, extract(epoch FROM clock_timestamp() - send_deadline)::float8 AS deadline_age,
       extract(epoch FROM clock_timestamp() - updated_at)::float8 AS changed_age,
       pending_stage = 'SUBMITTING' AS change_was_sent, pending_parameters,
       pending_stage = 'SUBMITTING' AND send_deadline < clock_timestamp() AS change_is_overdue
FROM ledger.broker_orders WHERE account_id = $1 AND order_id = ANY($2::text[])
"""
_FILLS: Final = f"""
SELECT {", ".join(Fill.model_fields)} FROM ledger.fills
WHERE account_id = $1 AND order_id = ANY($2::text[]) AND basis IN ('derived', 'trade_book')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One good reading of an account's order book, and its trades where they were wanted."""

    account_id: int
    entries: Sequence[BookEntry]
    trades: Sequence[TradeEntry] | None
    began: datetime
    """When the reading began: what the record learnt later is newer than what this shows."""
    good_reads: Sequence[float]
    """When the latest good readings began, this one last, by the clock that counts suspended time."""


@dataclass(slots=True)
class Outcome:
    wants_trades: bool = False
    """Something waits for the trade book: derived fills, or an absence that only it can confirm."""
    filled: bool = False


@dataclass(frozen=True, slots=True)
class _OpenChange:
    """What the book makes of a change whose answer is open."""

    is_over: bool = False
    reason_code: ReasonCode | None = None
    reason: str | None = None


class BookLearning:
    """One transaction's worth."""

    def __init__(
        self,
        transaction: LedgerTransaction,
        reading: Reading,
        limits: ReconcileLimits,
        clock: Clock,
        ahead: dict[str, float],
    ) -> None:
        """`ahead` is remembered from reading to reading: since when an order's trades are more than it can hold."""
        self._transaction = transaction
        self._ahead = ahead
        self._reading = reading
        self._limits = limits
        self._clock = clock
        self._now = clock.now()
        self.outcome = Outcome()

    async def match(self, changed: Sequence[BookEntry]) -> Matches:
        rows = await self._transaction.connection.fetch(
            _CONCERNED,
            self._reading.account_id,
            [entry.broker_order_id for entry in changed],
            [entry.tag for entry in changed if entry.tag],
        )
        orders = await self._transaction.lock((row["account_id"], row["order_id"]) for row in rows)
        known = {order.broker_tag for order in orders.values()}
        known |= {order.broker_order_id for order in orders.values() if order.broker_order_id is not None}
        ids = {entry.broker_order_id for entry in changed}
        concerned = [
            entry
            for entry in self._reading.entries
            if entry.broker_order_id in ids or entry.broker_order_id in known or entry.tag in known
        ]
        return match_book(orders.values(), concerned)

    async def learn(self, matches: Matches) -> None:
        orders = [order for order, _ in matches.pairs] + matches.absent
        calls = await self._calls(orders)
        fills = await self._fills(
            order for order, entry in matches.pairs if entry.filled_quantity or order.filled_quantity
        )
        for order, entry in matches.pairs:
            change = _open_change(order, entry, calls.get(order.order_id))
            await self._found(order, entry, fills.get(order.order_id, []), change)
        given_up = [
            order
            for order in matches.absent
            if order.state is OrderState.UNCONFIRMED
            and order.order_id in calls
            and self._is_given_up(order, calls[order.order_id])
        ]
        await alert_unsent_exits(self._transaction, given_up, self._now)
        for order, entry in matches.surplus:
            await self._used_twice(order, entry)
        for order, entry in matches.misfits:
            message = f"{entry.broker_order_id} carries the tag {order.broker_tag} and is not what {order.order_id} asked for"
            await self._alert(order, AlertCode.TAG_MISMATCH, entry.broker_order_id, message)

    async def _found(
        self, order: Order, entry: BookEntry, known: Sequence[Fill], open_change: _OpenChange
    ) -> None:
        modified = self._modified(order, entry)
        trades = await self._believable_trades(order, entry, known, modified)
        filled, average, said = entry.filled_quantity, entry.average_price, answer_in(entry)
        by_trades, value = traded(known, trades)
        if by_trades > max(filled, order.filled_quantity):
            filled, average = by_trades, value / by_trades  # the trade book is ahead of the order book
        update = OrderUpdate(
            state=entry.state,
            at=self._now,
            filled_quantity=filled,
            average_price=average,
            broker_order_id=entry.broker_order_id,
            reason_code=open_change.reason_code
            or (ReasonCode.BROKER_REFUSED if entry.state is OrderState.REJECTED else None),
            reason=open_change.reason or said.text,
            modified=modified,
            clears_pending_action=open_change.is_over or entry.state.is_terminal,
        )
        result = apply(order, update)
        after = result.order if isinstance(result, Applied) else order
        change = fill_change(after, known, trades, entry.updated_at)
        if isinstance(result, Applied):
            self._transaction.step([replace(self._step(order, update, change), answer=said)])
            if order.state is OrderState.REJECTED:
                await alert_reopened(self._transaction, order, entry.broker_order_id)
        elif change:
            self._transaction.refill(self._step(order, OrderUpdate(state=order.state, at=self._now), change))
        if isinstance(result, Illegal):
            await self._alert(order, AlertCode.ORDER_CONTRADICTED, order.order_id, result.why)
        self.outcome.filled |= bool(change.added)
        kept = [fill for fill in known if fill.trade_id not in change.superseded]
        self.outcome.wants_trades |= has_derived([*kept, *change.added])

    def _modified(self, order: Order, entry: BookEntry) -> dict[str, object] | None:
        """The terms the row shows, where they are newer than ours: read later, or holding fills that ours cannot.

        A row that is behind the fills we know is behind in its terms too.
        """
        if entry.filled_quantity < order.filled_quantity:
            return None
        is_newer = order.updated_at <= self._reading.began or entry.filled_quantity > order.quantity
        return _changed_terms(order, entry) if is_newer else None

    async def _believable_trades(
        self,
        order: Order,
        entry: BookEntry,
        known: Sequence[Fill],
        modified: Mapping[str, object] | None,
    ) -> list[TradeEntry]:
        """The trades of the order; none while they are more than it can hold.

        A trade book that is ahead knows the fills of a modification of which the order book, or the answer that was lost, has not
        told yet. So it contradicts nothing by itself: the order book settles it, and only if that never does a person must look.
        """
        trades = [
            trade for trade in self._reading.trades or () if trade.broker_order_id == entry.broker_order_id
        ]
        quantity = (modified or {}).get("quantity", order.quantity)
        by_trades, _ = traded(known, trades)
        if not isinstance(quantity, int) or by_trades <= quantity:
            if trades:
                self._ahead.pop(order.order_id, None)
            return trades
        self.outcome.wants_trades = True
        since = self._ahead.setdefault(order.order_id, self._reading.good_reads[-1])
        if self._reading.good_reads[-1] - since >= self._limits.settle_seconds:
            message = f"the trade book shows {by_trades} filled, the order book an order for {quantity}"
            await self._alert(order, AlertCode.ORDER_CONTRADICTED, order.order_id, message)
        return []

    def _is_given_up(self, order: Order, call: Mapping[str, Any]) -> bool:
        elapsed = self._clock.elapsed()
        trades = self._reading.trades
        absence = Absence(
            deadline=elapsed - (call["deadline_age"] or 0.0),
            answered=elapsed - call["changed_age"],
            good_reads=self._reading.good_reads,
            trades_read=trades is not None,
            unexplained_trade=has_unexplained_trade(order, self._reading.entries, trades or ()),
        )
        update = update_of_absence(order, absence, self._limits, self._now)
        if update is not None:
            self._transaction.step([Step(order=order, update=update)])
        elif trades is None and absence.is_ripe(self._limits):
            self.outcome.wants_trades = True
        return update is not None

    async def _used_twice(self, order: Order, entry: BookEntry) -> None:
        message = (
            f"the broker holds {order.broker_order_id or 'one order'} and {entry.broker_order_id} for {order.order_id}; "
            "the account takes no new orders until it is switched on again"
        )
        if await self._alert(order, AlertCode.TAG_USED_TWICE, order.broker_tag, message):
            await stop_accepting(self._transaction.connection, order.account_id)

    async def _alert(self, order: Order, code: AlertCode, subject: str, message: str) -> bool:
        alert = Alert(
            account_id=order.account_id,
            user_id=order.user_id,
            broker=order.broker,
            code=code,
            subject=subject,
            message=message,
            raised_at=self._now,
        )
        return await raise_alert(self._transaction, alert)

    async def _calls(self, orders: Iterable[Order]) -> dict[str, Mapping[str, Any]]:
        """Of orders with a call whose outcome is open: how long it is over."""
        open_calls = [
            order.order_id
            for order in orders
            if order.state is OrderState.UNCONFIRMED or order.pending_action is not None
        ]
        if not open_calls:
            return {}
        rows = await self._transaction.connection.fetch(_CALLS, self._reading.account_id, open_calls)
        return {row["order_id"]: row for row in rows}

    async def _fills(self, orders: Iterable[Order]) -> dict[str, list[Fill]]:
        order_ids = [order.order_id for order in orders]
        fills: dict[str, list[Fill]] = {}
        if order_ids:
            for row in await self._transaction.connection.fetch(_FILLS, self._reading.account_id, order_ids):
                fills.setdefault(row["order_id"], []).append(Fill.model_validate(dict(row)))
        return fills

    @staticmethod
    def _step(order: Order, update: OrderUpdate, change: FillChange) -> Step:
        return Step(order=order, update=update, fills=change.added, superseded_fills=change.superseded)


def _open_change(order: Order, entry: BookEntry, call: Mapping[str, Any] | None) -> _OpenChange:
    if call is None or order.pending_action is None or not call["change_was_sent"]:
        return _OpenChange()
    asked = PendingParameters.model_validate_json(call["pending_parameters"] or "{}")
    if is_carried_out(order, asked.changes, entry):
        return _OpenChange(is_over=True)
    if call["change_is_overdue"]:
        return _OpenChange(True, *given_up(order))
    return _OpenChange()


def has_derived(fills: Iterable[Fill]) -> bool:
    return any(fill.basis == DERIVED for fill in fills)


def _changed_terms(order: Order, entry: BookEntry) -> dict[str, object]:
    """What the broker shows differently: a modification whose answer was lost, or one made in the broker's own app."""
    changed: dict[str, object] = {}
    if entry.quantity != order.quantity:
        changed["quantity"] = entry.quantity
    if order.order_type.takes_price and entry.price > Decimal(0) and entry.price != order.price:
        changed["price"] = entry.price
    if order.order_type.takes_trigger_price and entry.trigger_price not in {None, order.trigger_price}:
        changed["trigger_price"] = entry.trigger_price
    return changed
