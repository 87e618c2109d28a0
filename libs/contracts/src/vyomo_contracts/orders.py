"""An order as every process sees it, and what may be asked of one."""

from decimal import Decimal

from pydantic import Field

from vyomo_contracts.identifiers import IDEMPOTENCY_KEY_MAX_LENGTH
from vyomo_contracts.messages import Instant, Strict, Tolerant
from vyomo_contracts.money import ZERO, Price, Quantity, RecordedPrice
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderStatus,
    OrderType,
    Origin,
    PendingAction,
    Product,
    TransactionType,
    Validity,
)


class OrderRequest(Strict):
    """What a trader asks for. Prices that do not apply to the order type are zero (`price`) or absent (`trigger_price`)."""

    symbol: str = Field(min_length=1, max_length=64)
    exchange: Exchange
    transaction_type: TransactionType
    order_type: OrderType
    quantity: int = Field(ge=-(2**31), le=2**31 - 1)
    """Any number the record can hold; whether it is a legal one is the router's to say."""
    price: Price = ZERO
    trigger_price: Price | None = None
    product: Product
    validity: Validity = Validity.DAY
    tag: str | None = Field(default=None, max_length=64)
    strategy_id: str | None = Field(default=None, max_length=64)
    parent_order_id: str | None = Field(default=None, max_length=64)
    group_id: str | None = Field(default=None, max_length=64)


class OrderModification(Strict):
    """The fields to change; absent fields stay as they are."""

    quantity: Quantity | None = None
    price: Price | None = None
    trigger_price: Price | None = None
    order_type: OrderType | None = None
    validity: Validity | None = None


class Order(Tolerant):
    """A snapshot of one order at one version. Events carry whole snapshots, so no consumer needs history."""

    order_id: str
    account_id: int
    user_id: str
    broker: Broker
    symbol: str
    exchange: Exchange
    transaction_type: TransactionType
    order_type: OrderType
    quantity: int
    price: RecordedPrice
    trigger_price: RecordedPrice | None = None
    product: Product
    validity: Validity
    state: OrderState
    pending_action: PendingAction | None = None
    filled_quantity: int = 0
    average_price: RecordedPrice = ZERO
    version: int = Field(ge=1)
    """1 at accept, one more at each change: a consumer applies a snapshot only if it is newer than its own."""
    reason_code: ReasonCode | None = None
    reason: str | None = None
    tag: str | None = None
    broker_tag: str
    broker_order_id: str | None = None
    strategy_id: str | None = None
    parent_order_id: str | None = None
    group_id: str | None = None
    origin: Origin = Origin.VYOMO
    created_at: Instant
    updated_at: Instant
    expires_at: Instant
    """An order still unsent at this time is never sent."""

    @property
    def status(self) -> OrderStatus:
        return self.state.status

    @property
    def remaining_quantity(self) -> int:
        return self.quantity - self.filled_quantity

    @property
    def filled_value(self) -> Decimal:
        return self.average_price * self.filled_quantity


class Fill(Tolerant):
    """One trade of an order. `trade_id` is the venue's, unique per account; derived fills carry a deterministic one."""

    trade_id: str
    order_id: str
    account_id: int
    exchange: Exchange
    symbol: str
    product: Product
    transaction_type: TransactionType
    quantity: Quantity
    price: RecordedPrice
    filled_at: Instant
    basis: str
    """How the fill is known: `depth`, `queue`, `trade_book`, `derived`."""


IdempotencyKey = Field(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_LENGTH, pattern=r"^[\x21-\x7e]+$")
