"""Orders that come by a door: what is asked for, what became of it, and every step on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Origin,
    Product,
    TransactionType,
    Validity,
)
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.working import WorkingOrder

Door = Literal["kite", "smartapi"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorAccount:
    """Whose session a request came with."""

    account_id: int
    user_id: str
    client_id: str
    is_linked: bool
    """A paper account: Vyomo's record has it too, and hears of what happens here. False for a sandbox account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    exchange: Exchange
    symbol: str
    transaction_type: TransactionType
    order_type: OrderType
    product: Product
    validity: Validity
    quantity: int
    price: Decimal = ZERO
    """Zero where the order type has none."""
    trigger_price: Decimal | None = None
    tag: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The protocol's own words, given back as they came. JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """What to modify; None stays as it is."""

    quantity: int | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    order_type: OrderType | None = None
    validity: Validity | None = None


class Filing(NamedTuple):
    """What is known of a door's order beside the exchange's own row."""

    order_id: str
    account_id: int
    exchange_order_id: str
    door: Door
    tag: str | None
    details: Mapping[str, Any]
    modifications: int
    placed_at: datetime


class DoorOrder(NamedTuple):
    working: WorkingOrder
    filing: Filing


class Step(StrEnum):
    """What happens to an order at a broker, in the order in which it does. The first five pass in an instant here."""

    RECEIVED = "RECEIVED"
    VALIDATING = "VALIDATING"
    SENDING = "SENDING"
    MODIFY_VALIDATING = "MODIFY_VALIDATING"
    MODIFYING = "MODIFYING"
    MODIFIED = "MODIFIED"
    CANCELLING = "CANCELLING"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    OPEN = "OPEN"
    """On the book; after a trade with a part of it filled."""
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class StepRow(NamedTuple):
    """The order as it was at a step."""

    order_id: str
    step: Step
    order_type: OrderType
    validity: Validity
    quantity: int
    price: Decimal
    trigger_price: Decimal | None
    filled_quantity: int
    average_price: Decimal
    reason: str | None
    at: datetime


class Cause(StrEnum):
    """Why an order is other than before."""

    PLACED = "PLACED"
    MODIFIED = "MODIFIED"
    CANCELLED = "CANCELLED"
    MARKET = "MARKET"


_AFTER: Mapping[OrderState, Step] = {
    OrderState.TRIGGER_PENDING: Step.TRIGGER_PENDING,
    OrderState.OPEN: Step.OPEN,
    OrderState.PARTIALLY_FILLED: Step.OPEN,
    OrderState.FILLED: Step.COMPLETE,
    OrderState.CANCELLED: Step.CANCELLED,
    OrderState.EXPIRED: Step.CANCELLED,
    OrderState.REJECTED: Step.REJECTED,
}
_LEADING: Mapping[Cause, tuple[Step, ...]] = {
    Cause.PLACED: (Step.RECEIVED, Step.VALIDATING, Step.SENDING),
    Cause.MODIFIED: (Step.MODIFY_VALIDATING, Step.MODIFYING, Step.MODIFIED),
    Cause.CANCELLED: (Step.CANCELLING,),
    Cause.MARKET: (),
}


def steps_of(before: WorkingOrder | None, after: WorkingOrder, cause: Cause) -> list[StepRow]:
    """The way from `before` (None: the order is new) to `after`. A step on the way has traded no more than `before`."""
    last = _AFTER[after.state]
    leading = list(_LEADING[cause])
    if last is Step.REJECTED:
        leading = [step for step in leading if step is not Step.SENDING]
    elif last in {Step.COMPLETE, Step.CANCELLED} and cause in {Cause.PLACED, Cause.MODIFIED}:
        # It was on the book for a moment, even if it traded in the same one.
        leading.append(Step.OPEN)
    untraded = after._replace(
        filled_quantity=before.filled_quantity if before else 0,
        filled_value=before.filled_value if before else ZERO,
        reason=None,
    )
    old_terms = {Step.MODIFY_VALIDATING, Step.MODIFYING}
    rows = [
        _row(before if before is not None and step in old_terms else untraded, step, after.updated_at)
        for step in leading
    ]
    return [*rows, _row(after, last, after.updated_at)]


def _row(order: WorkingOrder, step: Step, at: datetime) -> StepRow:
    return StepRow(
        order_id=order.order_id,
        step=step,
        order_type=order.order_type,
        validity=order.validity,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
        reason=order.reason,
        at=at,
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """The exchange has it. Whether it rests, traded or was rejected is in the order."""

    order: DoorOrder


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing happened, and there is no order of it."""

    refusal: Refusal


Result = Placed | Refused


def new_order(account: DoorAccount, wanted: NewOrder, order_id: str, at: datetime) -> Order:
    """The order in the shape in which rounds take orders."""
    return Order(
        order_id=order_id,
        account_id=account.account_id,
        user_id=account.user_id,
        broker=Broker.PAPER,
        symbol=wanted.symbol,
        exchange=wanted.exchange,
        transaction_type=wanted.transaction_type,
        order_type=wanted.order_type,
        quantity=wanted.quantity,
        price=wanted.price if wanted.order_type.takes_price else ZERO,
        trigger_price=wanted.trigger_price if wanted.order_type.takes_trigger_price else None,
        product=wanted.product,
        validity=wanted.validity,
        state=OrderState.NEW,
        version=1,
        broker_tag="",
        broker_order_id=order_id,
        origin=Origin.EXTERNAL,
        created_at=at,
        updated_at=at,
        expires_at=at,
    )
