"""A valid order for tests to vary."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
    Validity,
)

NOON = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
"""12:00 in India on a trading Monday."""


def sample_order(state: OrderState = OrderState.NEW, **changes: object) -> Order:
    """A LIMIT order to buy 10 RELIANCE in `state`, with the fills that state implies at 250.50."""
    filled = {OrderState.PARTIALLY_FILLED: 5, OrderState.FILLED: 10}.get(state, 0)
    order = Order(
        order_id="PAPER_01",
        account_id=1,
        user_id="asha",
        broker=Broker.PAPER,
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        transaction_type=TransactionType.BUY,
        order_type=OrderType.LIMIT,
        quantity=10,
        price=Decimal("250.50"),
        product=Product.MIS,
        validity=Validity.DAY,
        state=state,
        filled_quantity=filled,
        average_price=Decimal("250.50") if filled else Decimal(0),
        version=3,
        broker_tag="T1",
        created_at=NOON,
        updated_at=NOON,
        expires_at=NOON + timedelta(seconds=30),
    )
    return Order.model_validate({**order.model_dump(), **changes})
