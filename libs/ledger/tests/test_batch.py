"""Events are put together from texts: they must be what their models would have said."""

from datetime import UTC, datetime
from decimal import Decimal

from vyomo_contracts.events import BrokerEvents, FundsChanged, HoldingChanged, OrderChanged, PositionChanged
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
    Validity,
)
from vyomo_ledger.writing.batch import Batch
from vyomo_ledger.writing.bodies import text_of
from vyomo_ledger.writing.changes import Change
from vyomo_ledger.writing.publishing import with_items

NOW = datetime(2026, 11, 19, 6, 30, tzinfo=UTC)
ORDER = Order(
    order_id="PAPER_1",
    account_id=3,
    user_id="asha",
    broker=Broker.PAPER,
    symbol="M&M",
    exchange=Exchange.NSE,
    transaction_type=TransactionType.BUY,
    order_type=OrderType.LIMIT,
    quantity=10,
    price=Decimal("250.50"),
    product=Product.CNC,
    validity=Validity.DAY,
    state=OrderState.NEW,
    version=1,
    tag='says "[]"',
    broker_tag="T1",
    created_at=NOW,
    updated_at=NOW,
    expires_at=NOW,
)
FILL = Fill(
    trade_id="PAPER_1-1",
    order_id="PAPER_1",
    account_id=3,
    exchange=Exchange.NSE,
    symbol="M&M",
    product=Product.CNC,
    transaction_type=TransactionType.BUY,
    quantity=10,
    price=Decimal("250.25"),
    filled_at=NOW,
    basis="depth",
)
POSITION = Position(
    account_id=3,
    user_id="asha",
    broker=Broker.PAPER,
    exchange=Exchange.NSE,
    symbol="M&M",
    product=Product.CNC,
    quantity=10,
    average_price=Decimal("250.25"),
    version=1,
    updated_at=NOW,
)
HOLDING = Holding(
    account_id=4,
    exchange=Exchange.NSE,
    symbol="M&M",
    quantity=10,
    average_price=Decimal("250.25"),
    version=1,
    updated_at=NOW,
)
FUNDS = Funds(
    account_id=3,
    user_id="asha",
    broker=Broker.PAPER,
    balance=None,
    used=Decimal("2502.5"),
    available=None,
    version=1,
    updated_at=NOW,
)


def test_events_are_what_their_models_say() -> None:
    filled = ORDER.model_copy(update={"state": OrderState.FILLED, "filled_quantity": 10, "version": 2})
    batch = Batch(partitions=2)
    batch.add_orders([Change(before=ORDER, after=filled, fills=(FILL,))])
    batch.add_positions([POSITION])
    batch.add_holdings([("asha", "paper", HOLDING)])
    batch.add_funds([FUNDS])

    rows = [
        {
            "outbox_id": 8 + partition,
            "broker": "paper",
            "partition": partition,
            "sequence": 1 << 16,
            "horizon": 1 << 16,
        }
        for partition in (0, 1)
    ]
    even, odd = batch.publications(rows)

    changed = OrderChanged(sequence=65537, cursor=65536, order=filled, fills=(FILL,))
    assert even.events == [text_of(HoldingChanged(user_id="asha", holding=HOLDING))]
    assert odd.events == [
        text_of(changed),
        text_of(PositionChanged(position=POSITION)),
        text_of(FundsChanged(funds=FUNDS)),
    ]


def test_envelope_is_what_its_model_says() -> None:
    events = (PositionChanged(position=POSITION), FundsChanged(funds=FUNDS))
    envelope = BrokerEvents(
        id="outbox-1",
        type=BrokerEvents.TYPE,
        time=NOW,
        correlation_id="1",
        source="a []",
        items=events,
    )

    text = with_items(envelope.model_copy(update={"items": ()}), [text_of(event) for event in events])

    assert text == text_of(envelope).encode()
