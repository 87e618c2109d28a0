"""One transaction over the record: lock, decide in Python, write everything with one statement, commit, publish.

The rule that makes it simple: a row is locked before it is decided upon, always in the order of acceptance, so a decision is
never based on an older version than the one it changes, and two writers never wait for each other in a circle. The version
check in the statement is the belt to these braces.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from vyomo_contracts.events import Event, FundsChanged, HoldingChanged, OrderChanged, PositionChanged
from vyomo_contracts.lifecycle import Applied, OrderUpdate, Result, apply
from vyomo_contracts.lifecycle import Illegal as IllegalUpdate
from vyomo_contracts.messages import Tolerant
from vyomo_contracts.orders import Fill, Order, OrderModification
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import PendingAction
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.writing.changes import Change, order_columns, portfolio_columns
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.statements import WRITE_ORDERS, WRITE_ORDERS_AND_PORTFOLIO
from vyomo_service_kit.database import Connection

log = structlog.get_logger()


class LostRaceError(Exception):
    """An order was changed by someone else between lock and write; impossible while everyone locks, so the transaction rolls back."""

    def __init__(self, expected: int, written: int) -> None:
        super().__init__(f"{written} of {expected} order changes met the version they were based on")


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A cancellation or modification that waits to be carried out."""

    order: Order
    action: PendingAction
    modification: OrderModification | None = None
    reason: str | None = None

    def parameters(self) -> dict[str, Any]:
        """As kept in `pending_parameters`."""
        return PendingParameters(changes=self.modification, reason=self.reason).model_dump(
            mode="json", exclude_none=True
        )


class PendingParameters(Tolerant):
    changes: OrderModification | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What waits in the claimed lanes: new orders, oldest first per account, and changes asked for."""

    orders: list[Order] = field(default_factory=list[Order])
    actions: list[PendingChange] = field(default_factory=list[PendingChange])


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One order and what was learnt of it; `fills` are the trades that came with it."""

    order: Order
    update: OrderUpdate
    fills: tuple[Fill, ...] = ()
    send_deadline: datetime | None = None


# The orders are read by the statement that waits for the lanes, so with what was visible before the wait; orders that the lanes'
# last holder took meanwhile are looked at again when their rows are locked, and drop out. Acceptance is numbered under a lock of
# its own, so whatever is visible of an account is complete up to there: nothing is overtaken.
_CLAIM: Final = f"""
WITH claimed AS MATERIALIZED (
    SELECT account_id FROM ledger.lanes
    WHERE lane = 'CLAIM' AND account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
)
SELECT {ORDER_COLUMNS}, pending_parameters FROM ledger.broker_orders
WHERE account_id IN (SELECT account_id FROM claimed) AND (state = 'NEW' OR pending_stage = 'PREPARED')
ORDER BY id
LIMIT $2
FOR UPDATE OF broker_orders
"""

_LOCK_ORDERS: Final = f"""
SELECT {ORDER_COLUMNS} FROM ledger.broker_orders
WHERE (account_id, order_id) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
ORDER BY id
FOR UPDATE
"""

_IN_FLIGHT: Final = """
SELECT account_id, count(*) AS sends FROM ledger.broker_orders
WHERE account_id = ANY($1::bigint[]) AND state = 'SUBMITTING' AND send_deadline > $2
GROUP BY account_id
"""


class LedgerTransaction:
    """Made by `Ledger.transaction`. Everything is written when the block is left without an exception."""

    def __init__(self, connection: Connection, *, partitions: int) -> None:
        self.connection = connection
        self._partitions = partitions
        self._changes: dict[str, Change] = {}
        self._positions: list[Position] = []
        self._funds: list[Funds] = []
        self._holdings: list[tuple[str, str, Holding]] = []

    async def claim(self, account_ids: Iterable[int], *, limit: int) -> Claimed:
        """Lock the accounts' claim lanes and whatever waits in them, oldest first over all accounts, so that none starves.

        Until the commit nobody else executes for these accounts.
        """
        rows = await self.connection.fetch(_CLAIM, sorted(set(account_ids)), limit)
        claimed = Claimed()
        for row in rows:
            order = order_of(row)
            if order.pending_action is None:
                claimed.orders.append(order)
            else:
                claimed.actions.append(_pending_change(order, row["pending_parameters"]))
        return claimed

    async def lock(self, keys: Iterable[tuple[int, str]]) -> dict[str, Order]:
        """The orders (account id, order id) as they now are, locked until the commit; unknown ones are absent."""
        wanted = sorted(set(keys))
        rows = await self.connection.fetch(
            _LOCK_ORDERS, [key[0] for key in wanted], [key[1] for key in wanted]
        )
        return {order.order_id: order for order in map(order_of, rows)}

    async def sends_in_flight(self, account_ids: Iterable[int], now: datetime) -> dict[int, int]:
        """Calls per account that may be on the wire: SUBMITTING with the deadline still ahead."""
        rows = await self.connection.fetch(_IN_FLIGHT, sorted(set(account_ids)), now)
        return {row["account_id"]: row["sends"] for row in rows}

    def step(self, steps: Sequence[Step]) -> list[Result]:
        """Apply what was learnt to locked orders. Only Applied results are written; Illegal ones are logged for a person."""
        return [self._step(step) for step in steps]

    def ask(self, change: PendingChange, at: datetime) -> Order:
        """Note a cancellation or modification for the worker to carry out."""
        changes: dict[str, object] = {
            "pending_action": change.action,
            "version": change.order.version + 1,
            "updated_at": at,
        }
        if change.action is PendingAction.CANCEL:
            changes |= {
                "reason_code": ReasonCode.USER_CANCELLED,
                "reason": change.reason or "cancelled by the user",
            }
        after = change.order.model_copy(update=changes)
        self._add(
            Change(
                before=change.order,
                after=after,
                pending_stage="PREPARED",
                pending_parameters=change.parameters(),
            )
        )
        return after

    def begin_action(self, order: Order, at: datetime) -> Order:
        """The claim of a pending action: from now on its call may be on the wire, and nobody else will make it."""
        after = order.model_copy(update={"version": order.version + 1, "updated_at": at})
        self._add(Change(before=order, after=after, pending_stage="SUBMITTING"))
        return after

    def save_positions(self, positions: Iterable[Position]) -> None:
        """Positions as they now are; a row is replaced only by a higher version."""
        self._positions.extend(positions)

    def save_funds(self, funds: Iterable[Funds]) -> None:
        self._funds.extend(funds)

    def save_holdings(self, holdings: Iterable[Holding], *, user_id: str, broker: str) -> None:
        self._holdings.extend((user_id, broker, holding) for holding in holdings)

    def current(self, order: Order) -> Order:
        """The order as this transaction will leave it."""
        change = self._changes.get(order.order_id)
        return order if change is None else change.after

    async def flush(self) -> list[Publication]:
        """Write everything with one statement and return what to publish after the commit. Called by `Ledger`."""
        changes = list(self._changes.values())
        arguments = order_columns(changes, self._partitions)
        if self._positions or self._funds or self._holdings:
            arguments += portfolio_columns(self._positions, self._funds, self._holdings, self._partitions)
            rows = await self.connection.fetch(WRITE_ORDERS_AND_PORTFOLIO, *arguments)
        elif changes:
            rows = await self.connection.fetch(WRITE_ORDERS, *arguments)
        else:
            return []
        written = rows[0]["written"]
        if written != len(changes):
            raise LostRaceError(len(changes), written)
        return self._publications(changes, rows)

    def _step(self, step: Step) -> Result:
        known = self.current(step.order)
        result = apply(known, step.update)
        if isinstance(result, IllegalUpdate):
            log.error("order.illegal_update", order_id=known.order_id, state=known.state, why=result.why)
        if isinstance(result, Applied):
            self._add(
                Change(before=known, after=result.order, fills=step.fills, send_deadline=step.send_deadline)
            )
        return result

    def _add(self, change: Change) -> None:
        """Two changes of one order in one transaction are one: the first `before`, the last `after`, version one up."""
        earlier = self._changes.get(change.after.order_id)
        self._changes[change.after.order_id] = change if earlier is None else earlier.followed_by(change)

    def _publications(
        self, changes: Sequence[Change], rows: Sequence[Mapping[str, Any]]
    ) -> list[Publication]:
        sequence, horizon = rows[0]["sequence"], rows[0]["horizon"]
        by_group: dict[tuple[str, int], list[Event]] = {}

        def group(broker: str, account_id: int) -> list[Event]:
            return by_group.setdefault((broker, partition_of(account_id, self._partitions)), [])

        for place, change in enumerate(changes, start=1):
            number = sequence | place
            group(change.after.broker, change.after.account_id).append(
                OrderChanged(
                    sequence=number, cursor=min(number, horizon), order=change.after, fills=change.fills
                )
            )
        for position in self._positions:
            group(position.broker, position.account_id).append(PositionChanged(position=position))
        for user_id, broker, holding in self._holdings:
            group(broker, holding.account_id).append(HoldingChanged(user_id=user_id, holding=holding))
        for funds in self._funds:
            group(funds.broker, funds.account_id).append(FundsChanged(funds=funds))
        return [
            Publication(
                row["outbox_id"], row["broker"], row["partition"], by_group[row["broker"], row["partition"]]
            )
            for row in rows
        ]


def _pending_change(order: Order, parameters: str | None) -> PendingChange:
    assert order.pending_action is not None
    stored = PendingParameters.model_validate_json(parameters or "{}")
    return PendingChange(
        order=order,
        action=order.pending_action,
        modification=stored.changes,
        reason=stored.reason,
    )
