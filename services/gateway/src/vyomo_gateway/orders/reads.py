"""What the record says of orders and trades."""

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, select

from vyomo_contracts.orders import Fill, Order
from vyomo_gateway.edge.encoding import number, optional_number, time_text
from vyomo_gateway.orders.schemas import OrderEventView, OrderView, TradeView
from vyomo_gateway.orders.trails import actor_in, asked_in, broker_answer_in, decision_in
from vyomo_gateway.reading import Statement
from vyomo_ledger import orders as ledger_orders
from vyomo_ledger.tables import broker_orders, fills, order_events
from vyomo_service_kit.database import Row

_orders = broker_orders.c
_ORDER = select(*(broker_orders.c[name] for name in Order.model_fields), _orders.sequence, _orders.status)

ORDER_PAGE = Statement(
    _ORDER.where(_orders.account_id == bindparam("account_id"), _orders.sequence < bindparam("before"))
    .order_by(_orders.sequence.desc())
    .limit(bindparam("limit"))
)
"""Newest first: an account's orders are numbered in the order they were accepted."""

ONE_ORDER = Statement(
    _ORDER.where(_orders.account_id == bindparam("account_id"), _orders.order_id == bindparam("order_id"))
)

ORDER_HISTORY = Statement(
    select(order_events.c.sequence, order_events.c.type, order_events.c.recorded_at, order_events.c.body)
    .where(
        order_events.c.order_id == bindparam("order_id"), order_events.c.account_id == bindparam("account_id")
    )
    .order_by(order_events.c.version)
)

_FILL = select(*(fills.c[name] for name in Fill.model_fields), fills.c.id)
TRADE_PAGE = Statement(
    _FILL.where(fills.c.account_id == bindparam("account_id"), fills.c.id < bindparam("before"))
    .order_by(fills.c.id.desc())
    .limit(bindparam("limit"))
)


def order_of(row: Row) -> Order:
    return ledger_orders.order_of(dict(row))


def order_view_of(row: Row) -> OrderView:
    """`OrderView.of(order_of(row))` without the checks in between: pages of 500 rows are read at each refresh of an order book."""
    return OrderView(
        order_id=row["order_id"],
        account_id=row["account_id"],
        broker=row["broker"],
        symbol=row["symbol"],
        exchange=row["exchange"],
        transaction_type=row["transaction_type"],
        order_type=row["order_type"],
        quantity=row["quantity"],
        price=number(row["price"]),
        trigger_price=optional_number(row["trigger_price"]),
        product=row["product"],
        validity=row["validity"],
        status=row["status"],
        state=row["state"],
        pending_action=row["pending_action"],
        filled_quantity=row["filled_quantity"],
        average_price=number(row["average_price"]),
        version=row["version"],
        reason_code=row["reason_code"],
        reason=row["reason"],
        tag=row["tag"],
        strategy_id=row["strategy_id"],
        parent_order_id=row["parent_order_id"],
        group_id=row["group_id"],
        broker_order_id=row["broker_order_id"],
        origin=row["origin"],
        order_time=time_text(row["created_at"]),
        updated_at=time_text(row["updated_at"]),
    )


def fill_of(row: Row) -> Fill:
    return Fill.model_validate(dict(row))


def event_view(row: Row) -> OrderEventView:
    body: dict[str, Any] = json.loads(row["body"], parse_float=Decimal)
    return OrderEventView(
        sequence=row["sequence"],
        type=row["type"],
        recorded_at=time_text(row["recorded_at"]),
        order=OrderView.of(Order.model_validate(body["order"])),
        trades=[TradeView.of(Fill.model_validate(fill)) for fill in body["fills"]],
        by=actor_in(body),
        asked=asked_in(body),
        decision=decision_in(body),
        broker_answer=broker_answer_in(body),
    )
