"""Fills from the two books: whatever comes first, twice or after a restart, they add up to the filled quantity."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.port import TradeEntry
from vyomo_broker_kit.trade_fills import FillChange, fill_change, traded
from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import OrderState

ORDER = sample_order(OrderState.OPEN, broker_order_id="B1", quantity=20)

paise = st.integers(min_value=5, max_value=1_000_000).map(lambda value: Decimal(value) / 100)


def trade(number: int, quantity: int, price: Decimal = Decimal(100)) -> TradeEntry:
    return TradeEntry(
        trade_id=f"T{number}",
        broker_order_id="B1",
        symbol=ORDER.symbol,
        transaction_type=ORDER.transaction_type,
        quantity=quantity,
        price=price,
        traded_at=NOON,
    )


def filled(quantity: int, average: Decimal = Decimal(100)) -> Order:
    return ORDER.model_copy(update={"filled_quantity": quantity, "average_price": to_price(average)})


@dataclass
class Store:
    """The fills table, as far as this matters: keyed by trade id, an insert of a known key does nothing."""

    fills: dict[str, Fill] = field(default_factory=dict[str, Fill])
    inserted: set[str] = field(default_factory=set[str])

    def write(self, change: FillChange) -> None:
        for trade_id in change.superseded:
            assert self.fills.pop(trade_id).basis == "derived"
        for fill in change.added:
            assert fill.trade_id not in self.inserted, "an id stood for other fills before"
            self.inserted.add(fill.trade_id)
            self.fills[fill.trade_id] = fill

    def read(self, order: Order, trades: list[TradeEntry]) -> None:
        self.write(fill_change(order, list(self.fills.values()), trades, NOON))

    @property
    def quantity(self) -> int:
        return sum(fill.quantity for fill in self.fills.values())


def test_trades_that_are_there_at_once_leave_nothing_to_infer() -> None:
    store = Store()
    store.read(filled(10), [trade(1, 4), trade(2, 6)])

    assert [(fill.trade_id, fill.basis) for fill in store.fills.values()] == [
        ("B1-T1", "trade_book"),
        ("B1-T2", "trade_book"),
    ]


def test_late_trades_replace_what_was_inferred_and_keep_the_rest() -> None:
    store = Store()
    store.read(filled(4, Decimal(100)), [])
    store.read(filled(10, Decimal(106)), [])
    store.read(filled(10, Decimal(106)), [trade(1, 4)])

    assert [(fill.trade_id, fill.quantity, fill.price) for fill in store.fills.values()] == [
        ("B1-T1", 4, Decimal(100)),
        (f"{ORDER.order_id}-d4-10", 6, Decimal(110)),
    ]


def test_same_trades_again_change_nothing() -> None:
    store = Store()
    store.read(filled(4), [trade(1, 4)])

    assert not fill_change(filled(4), list(store.fills.values()), [trade(1, 4), trade(1, 4)], NOON)


def test_more_trades_than_the_order_is_filled_add_nothing() -> None:
    """The caller raises the filled quantity first; if the record refuses that, the fills stay true to the record."""
    assert not fill_change(filled(4), [], [trade(1, 6)], NOON)


def test_trades_count_once_whether_recorded_or_read_now() -> None:
    known = list(fill_change(filled(4), [], [trade(1, 4)], NOON).added)

    assert traded(known, [trade(1, 4), trade(2, 6, Decimal(110))]) == (10, Decimal(400 + 660))


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, list[int]]]:
    """(how many trades the order book knows of, which trades the trade book shows, repeats and any order)."""
    steps = draw(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 5), max_size=8)), max_size=12))
    return [(known, shown) for known, shown in steps]


@given(st.lists(st.tuples(st.integers(1, 3), paise), min_size=6, max_size=6), stories())
def test_fills_always_add_up_and_end_as_the_trades(
    trades: list[tuple[int, Decimal]], story: list[tuple[int, list[int]]]
) -> None:
    real = [trade(number, quantity, price) for number, (quantity, price) in enumerate(trades)]
    store, order = Store(), filled(0)
    for known, shown in [*story, (6, list(range(6)))]:
        # A merge: the order's filled quantity is the higher of what the order book and the trades say, and never falls.
        read = [real[number] for number in shown]
        by_book = sum(each.quantity for each in real[:known])
        by_trades, value = traded(list(store.fills.values()), read)
        if max(by_book, by_trades) > order.filled_quantity:
            total = sum((each.quantity * each.price for each in real[:known]), ZERO)
            is_by_book = by_book >= by_trades
            order = filled(max(by_book, by_trades), total / by_book if is_by_book else value / by_trades)
        # Every reading is a restart: nothing is remembered but what is stored.
        store.read(order, read)

        assert store.quantity == order.filled_quantity
        assert all(fill.quantity > 0 and fill.price >= 0 for fill in store.fills.values())

    assert {fill.basis for fill in store.fills.values()} == {"trade_book"}
    assert sorted((fill.trade_id, fill.quantity, fill.price) for fill in store.fills.values()) == sorted(
        (f"B1-T{number}", quantity, to_price(price)) for number, (quantity, price) in enumerate(trades)
    )
