"""Orders as they are asked for and as they are shown."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType
from pydantic import Field, StringConstraints

from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderStatus,
    OrderType,
    PendingAction,
    Product,
    TransactionType,
    Validity,
)
from vyomo_gateway.edge.bodies import Body, JsonPrice, Text, WholeNumber
from vyomo_gateway.edge.encoding import Time, View, number, optional_number, time_text
from vyomo_gateway.orders.trails import ActorView, AskedView, BrokerAnswerView, DecisionView


class OrderBody(Body):
    """A new order. `price` is required for LIMIT and SL, `triggerPrice` for SL and SL-M; elsewhere they are ignored."""

    symbol: Text = Field(examples=["NIFTY"])
    exchange: Exchange
    transaction_type: TransactionType
    order_type: OrderType
    quantity: WholeNumber = Field(examples=[10])
    price: JsonPrice | None = Field(default=None, examples=[250.50])
    trigger_price: JsonPrice | None = Field(default=None, examples=[245.00])
    product: Product
    validity: Validity = Validity.DAY
    tag: Text | None = None
    """Yours, shown with the order and never interpreted."""
    strategy_id: Text | None = None
    parent_order_id: Text | None = None
    group_id: Text | None = None


class ModifyBody(Body):
    """What to change; fields left out stay as they are."""

    quantity: WholeNumber | None = None
    price: JsonPrice | None = None
    trigger_price: JsonPrice | None = None
    order_type: OrderType | None = None
    validity: Validity | None = None


class CancelBody(Body):
    reason: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    """Recorded with the order."""


class OrderView(View, frozen=True, kw_only=True):
    """An order at one version. `status` is one of four words, `state` says it more finely."""

    order_id: str
    account_id: int
    broker: Broker
    symbol: str
    exchange: Exchange
    transaction_type: TransactionType
    order_type: OrderType
    quantity: int
    price: Decimal
    """0 for an order that takes none."""
    trigger_price: Decimal | None
    product: Product
    validity: Validity
    status: OrderStatus
    state: OrderState
    pending_action: PendingAction | None
    """A change that was asked for and that the broker has not answered yet."""
    filled_quantity: int
    average_price: Decimal
    version: int
    """Grows with each change: keep the snapshot with the highest."""
    reason_code: ReasonCode | None
    reason: str | None
    tag: str | None
    strategy_id: str | None
    parent_order_id: str | None
    group_id: str | None
    broker_order_id: str | None
    origin: str
    order_time: Time
    updated_at: Time

    @classmethod
    def of(cls, order: Order) -> "OrderView":
        return cls(
            order_id=order.order_id,
            account_id=order.account_id,
            broker=order.broker,
            symbol=order.symbol,
            exchange=order.exchange,
            transaction_type=order.transaction_type,
            order_type=order.order_type,
            quantity=order.quantity,
            price=number(order.price),
            trigger_price=optional_number(order.trigger_price),
            product=order.product,
            validity=order.validity,
            status=order.status,
            state=order.state,
            pending_action=order.pending_action,
            filled_quantity=order.filled_quantity,
            average_price=number(order.average_price),
            version=order.version,
            reason_code=order.reason_code,
            reason=order.reason,
            tag=order.tag,
            strategy_id=order.strategy_id,
            parent_order_id=order.parent_order_id,
            group_id=order.group_id,
            broker_order_id=order.broker_order_id,
            origin=order.origin,
            order_time=time_text(order.created_at),
            updated_at=time_text(order.updated_at),
        )


class TradeView(View, frozen=True, kw_only=True):
    trade_id: str
    order_id: str
    account_id: int
    symbol: str
    exchange: Exchange
    product: Product
    transaction_type: TransactionType
    quantity: int
    price: Decimal
    trade_time: Time

    @classmethod
    def of(cls, fill: Fill) -> "TradeView":
        return cls(
            trade_id=fill.trade_id,
            order_id=fill.order_id,
            account_id=fill.account_id,
            symbol=fill.symbol,
            exchange=fill.exchange,
            product=fill.product,
            transaction_type=fill.transaction_type,
            quantity=fill.quantity,
            price=number(fill.price),
            trade_time=time_text(fill.filled_at),
        )


class OrderEventView(View, frozen=True, kw_only=True, tag_field="kind", tag="order"):
    """One entry of the record, which is only ever added to."""

    sequence: int
    type: str
    """What happened: order.accepted, order.filled, order.cancel_requested, ..."""
    recorded_at: Time
    order: OrderView
    trades: list[TradeView]
    """The trades this change brought."""
    by: ActorView | UnsetType = UNSET
    asked: AskedView | UnsetType = UNSET
    """In the first event of an order that was asked for here."""
    decision: DecisionView | UnsetType = UNSET
    broker_answer: BrokerAnswerView | UnsetType = UNSET


class OrderAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    order: OrderView
    warnings: list[str] | UnsetType = UNSET
    """What was sent and does not apply: it was ignored."""


class OrdersAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    orders: list[OrderView]
    next_cursor: str | UnsetType = UNSET


class OrderHistoryAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    events: list[OrderEventView]


class TradesAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    trades: list[TradeView]
    next_cursor: str | UnsetType = UNSET


class CancelRequestedAnswer(View, frozen=True, kw_only=True):
    """Asked for and not confirmed yet. `order` is as it is now, its `pendingAction` CANCEL."""

    success: Literal[True] = True
    code: Literal["CANCEL_UNCONFIRMED"] = "CANCEL_UNCONFIRMED"
    message: str
    order: OrderView


class MessageAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    message: str
