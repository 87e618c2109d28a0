"""A change of one order, and the arrays that carry all of a transaction's changes into the one writing statement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.topology import partition_of
from vyomo_ledger.writing.bodies import event_body, event_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`after` has the version one above `before`'s, whatever number of updates it sums up."""

    before: Order
    after: Order
    fills: tuple[Fill, ...] = ()
    pending_stage: str | None = None
    """None leaves the stage as it is while an action is pending; it goes with the action."""
    pending_parameters: dict[str, Any] | None = None
    send_deadline: datetime | None = None

    def followed_by(self, later: "Change") -> "Change":
        return replace(
            later,
            before=self.before,
            after=later.after.model_copy(update={"version": self.before.version + 1}),
            fills=self.fills + later.fills,
            pending_stage=later.pending_stage or self.pending_stage,
            pending_parameters=later.pending_parameters or self.pending_parameters,
            send_deadline=later.send_deadline or self.send_deadline,
        )


def order_columns(changes: Sequence[Change], partitions: int) -> list[list[Any]]:
    """The parameters of `statements.WRITE_ORDERS`: one array a column, in the statement's order."""
    return [
        *_transpose([_order_row(change, partitions) for change in changes], 23),
        *_transpose([_fill_row(change.after, fill) for change in changes for fill in change.fills], 12),
    ]


def portfolio_columns(
    positions: Sequence[Position],
    funds: Sequence[Funds],
    holdings: Sequence[tuple[str, str, Holding]],
    partitions: int,
) -> list[list[Any]]:
    """What `statements.WRITE_ORDERS_AND_PORTFOLIO` takes after the order columns."""
    return [
        *_transpose([_position_row(position, partitions) for position in positions], 20),
        *_transpose([_funds_row(each, partitions) for each in funds], 8),
        *_transpose([_holding_row(*each, partitions) for each in holdings], 11),
    ]


def _transpose(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _order_row(change: Change, partitions: int) -> tuple[Any, ...]:
    order = change.after
    parameters = (
        None if change.pending_parameters is None else orjson.dumps(change.pending_parameters).decode()
    )
    return (
        order.account_id,
        order.order_id,
        change.before.version,
        order.quantity,
        order.price,
        order.trigger_price,
        order.order_type,
        order.validity,
        order.state,
        order.filled_quantity,
        order.average_price,
        order.broker_order_id,
        order.reason_code,
        order.reason,
        order.pending_action,
        change.pending_stage,
        parameters,
        change.send_deadline,
        order.updated_at,
        event_type(change.before, order),
        event_body(order, change.fills),
        order.broker,
        partition_of(order.account_id, partitions),
    )


def _fill_row(order: Order, fill: Fill) -> tuple[Any, ...]:
    return (
        fill.account_id,
        fill.trade_id,
        fill.order_id,
        order.user_id,
        fill.exchange,
        fill.symbol,
        fill.product,
        fill.transaction_type,
        fill.quantity,
        fill.price,
        fill.basis,
        fill.filled_at,
    )


def _position_row(position: Position, partitions: int) -> tuple[Any, ...]:
    return (
        position.account_id,
        position.user_id,
        position.broker,
        position.exchange,
        position.symbol,
        position.product,
        position.quantity,
        position.overnight_quantity,
        position.multiplier,
        position.average_price,
        position.buy_quantity,
        position.buy_value,
        position.sell_quantity,
        position.sell_value,
        position.realised,
        position.last_price,
        position.version,
        position.updated_at,
        f"{position.account_id}|{position.exchange}|{position.symbol}|{position.product}",
        partition_of(position.account_id, partitions),
    )


def _funds_row(funds: Funds, partitions: int) -> tuple[Any, ...]:
    return (
        funds.account_id,
        funds.broker,
        funds.balance,
        funds.used,
        funds.available,
        funds.version,
        funds.updated_at,
        partition_of(funds.account_id, partitions),
    )


def _holding_row(user_id: str, broker: str, holding: Holding, partitions: int) -> tuple[Any, ...]:
    return (
        holding.account_id,
        user_id,
        broker,
        holding.exchange,
        holding.symbol,
        holding.quantity,
        holding.average_price,
        holding.last_price,
        holding.version,
        f"{holding.account_id}|{holding.exchange}|{holding.symbol}",
        partition_of(holding.account_id, partitions),
    )
