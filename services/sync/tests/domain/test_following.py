"""Positions as a broker would report them, followed in every order a bus may deliver them in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import Broker, Exchange, Product, TransactionType
from vyomo_sync.domain.following import Step, follow
from vyomo_sync.domain.snapshots import Followed
from vyomo_sync.domain.trades import Trade, TradeStatus

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
CENT = Decimal("0.01")


@dataclass
class Book:
    """A position with its own plain arithmetic, and the snapshots it went through."""

    multiplier: int = 1
    bought: list[tuple[int, Decimal]] = field(default_factory=list)
    sold: list[tuple[int, Decimal]] = field(default_factory=list)
    snapshots: list[Position] = field(default_factory=list)

    def fill(self, quantity: int, price: Decimal) -> Position:
        (self.bought if quantity > 0 else self.sold).append((abs(quantity), price))
        return self.report(price)

    def report(self, last_price: Decimal) -> Position:
        buys, sells = (sum(quantity for quantity, _ in side) for side in (self.bought, self.sold))
        version = len(self.snapshots) + 1
        net = buys - sells
        open_side = self.bought if net > 0 else self.sold
        position = Position(
            account_id=1,
            user_id="default_user",
            broker=Broker.PAPER,
            exchange=Exchange.NSE,
            symbol="RELIANCE",
            product=Product.MIS,
            quantity=net,
            multiplier=self.multiplier,
            average_price=(self.value(open_side) / sum(q for q, _ in open_side)).quantize(CENT)
            if net
            else Decimal(0),
            buy_quantity=buys,
            buy_value=self.value(self.bought) * self.multiplier,
            sell_quantity=sells,
            sell_value=self.value(self.sold) * self.multiplier,
            last_price=last_price,
            version=version,
            updated_at=START + timedelta(seconds=version),
        )
        self.snapshots.append(position)
        return position

    @staticmethod
    def value(side: list[tuple[int, Decimal]]) -> Decimal:
        return sum((quantity * price for quantity, price in side), Decimal(0))


def follow_all(positions: list[Position]) -> tuple[Followed | None, dict[int, Trade]]:
    known: Followed | None = None
    trades: dict[int, Trade] = {}
    for position in positions:
        step = follow(known, position)
        if step is None:
            continue
        known = step.followed
        trades.update({trade.number: trade for trade in step.changed})
    return known, trades


def changed(step: Step | None) -> tuple[Trade, ...]:
    assert step is not None
    return step.changed


fills = st.lists(
    st.tuples(
        st.integers(-50, 50).filter(bool),
        st.decimals(min_value=CENT, max_value=5000, places=2),
    ),
    min_size=1,
    max_size=12,
)


def book_of(chosen: list[tuple[int, Decimal]], multiplier: int = 1) -> Book:
    book = Book(multiplier)
    for quantity, price in chosen:
        book.fill(quantity, price)
    return book


@given(fills, st.integers(1, 100))
def test_following_every_fill_gives_one_trade_a_round_trip(
    chosen: list[tuple[int, Decimal]], multiplier: int
) -> None:
    book = book_of(chosen, multiplier)

    known, trades = follow_all(book.snapshots)

    signs = [(position.quantity > 0) - (position.quantity < 0) for position in book.snapshots]
    round_trips = sum(1 for before, now in zip([0, *signs], signs, strict=False) if now and now != before)
    assert sorted(trades) == list(range(1, round_trips + 1))
    assert known is not None
    assert known.round_trips == round_trips
    assert known.quantity == book.snapshots[-1].quantity


@given(fills, st.integers(1, 100))
def test_profit_of_closed_trades_is_what_was_earned(
    chosen: list[tuple[int, Decimal]], multiplier: int
) -> None:
    net = sum(quantity for quantity, _ in chosen)
    book = book_of([*chosen, (-net, Decimal(100))] if net else chosen, multiplier)

    _, trades = follow_all(book.snapshots)

    final = book.snapshots[-1]
    earned = sum((trade.realised for trade in trades.values()), Decimal(0))
    assert abs(earned - (final.sell_value - final.buy_value)) <= Decimal("0.0001") * 2 * len(trades)
    assert all(trade.status is TradeStatus.CLOSED for trade in trades.values())
    assert all(trade.quantity == 0 for trade in trades.values())


@given(fills)
def test_prices_of_a_trade_lie_within_those_of_its_fills(chosen: list[tuple[int, Decimal]]) -> None:
    book = book_of(chosen)
    lowest, highest = min(price for _, price in chosen), max(price for _, price in chosen)

    _, trades = follow_all(book.snapshots)

    for trade in trades.values():
        assert lowest - CENT <= trade.entry_price <= highest + CENT
        assert trade.exit_price is None or lowest - CENT <= trade.exit_price <= highest + CENT


@given(fills, st.data())
def test_any_order_with_duplicates_ends_at_the_newest_position(
    chosen: list[tuple[int, Decimal]], data: st.DataObject
) -> None:
    snapshots = book_of(chosen).snapshots
    repeated = data.draw(st.lists(st.sampled_from(snapshots), max_size=10))
    delivered = data.draw(st.permutations([*snapshots, *repeated]))

    known, trades = follow_all(delivered)

    assert known is not None
    assert (known.version, known.quantity) == (snapshots[-1].version, snapshots[-1].quantity)
    still_open = [trade for trade in trades.values() if trade.status is TradeStatus.OPEN]
    assert [trade.signed_quantity for trade in still_open] == ([known.quantity] if known.quantity else [])
    assert sorted(trades) == list(range(1, len(trades) + 1))


@given(fills, st.data())
def test_duplicates_alone_change_nothing(chosen: list[tuple[int, Decimal]], data: st.DataObject) -> None:
    snapshots = book_of(chosen).snapshots
    delivered = list(snapshots)
    for late in data.draw(st.lists(st.sampled_from(snapshots), max_size=6)):
        delivered.insert(data.draw(st.integers(delivered.index(late) + 1, len(delivered))), late)

    assert follow_all(delivered) == follow_all(snapshots)


def test_first_sight_of_an_open_position_opens_a_trade_at_its_average() -> None:
    book = book_of([(30, Decimal(100)), (-20, Decimal(130))])

    (trade,) = changed(follow(None, book.snapshots[-1]))

    assert (trade.side, trade.quantity, trade.entry_price) == (TransactionType.BUY, 10, Decimal(100))
    assert trade.exit_price is None


def test_first_sight_of_a_flat_position_remembers_it_and_opens_nothing() -> None:
    book = book_of([(10, Decimal(100)), (-10, Decimal(110))])

    step = follow(None, book.snapshots[1])

    assert changed(step) == ()
    assert step is not None
    assert follow(step.followed, book.snapshots[0]) is None


def test_long_turned_short_closes_one_trade_and_opens_the_other() -> None:
    book = book_of([(10, Decimal(100)), (-15, Decimal(120))])

    step = follow(None, book.snapshots[0])
    assert step is not None
    closed, opened = changed(follow(step.followed, book.snapshots[1]))

    assert (closed.number, closed.status, closed.realised) == (1, TradeStatus.CLOSED, Decimal(200))
    assert (closed.exit_price, closed.closed_at) == (Decimal(120), book.snapshots[1].updated_at)
    assert (opened.number, opened.side, opened.quantity) == (2, TransactionType.SELL, 5)
    assert opened.entry_price == Decimal(120)


def test_part_exit_keeps_the_trade_open_and_realises_its_part() -> None:
    book = book_of([(-10, Decimal(100)), (4, Decimal(90))])

    _, trades = follow_all(book.snapshots)

    assert (trades[1].side, trades[1].quantity) == (TransactionType.SELL, 6)
    assert (trades[1].status, trades[1].realised) == (TradeStatus.OPEN, Decimal(40))


def test_second_round_trip_of_a_day_has_its_own_entry_price() -> None:
    book = book_of([(10, Decimal(100)), (-10, Decimal(110)), (10, Decimal(300))])

    _, trades = follow_all(book.snapshots)

    assert [trades[number].entry_price for number in (1, 2)] == [Decimal(100), Decimal(300)]


def test_rolled_day_keeps_the_carried_trade_as_it_is() -> None:
    book = book_of([(20, Decimal(100)), (-10, Decimal(110))])
    rolled = book.snapshots[-1].model_copy(
        update={"buy_quantity": 10, "buy_value": Decimal(1000), "sell_quantity": 0, "sell_value": Decimal(0)}
        | {"overnight_quantity": 10, "version": 3}
    )
    sold = rolled.model_copy(
        update={"quantity": 0, "sell_quantity": 10, "sell_value": Decimal(1300), "version": 4}
    )

    _, before = follow_all(book.snapshots)
    _, carried = follow_all([*book.snapshots, rolled])
    _, after = follow_all([*book.snapshots, rolled, sold])

    assert carried == before
    assert (after[1].status, after[1].realised) == (TradeStatus.CLOSED, Decimal(400))


def test_corrected_quantity_is_booked_at_the_last_price() -> None:
    first = book_of([(10, Decimal(100))]).snapshots[0]
    corrected = first.model_copy(update={"quantity": 4, "last_price": Decimal(105), "version": 2})

    _, trades = follow_all([first, corrected])

    assert (trades[1].quantity, trades[1].exit_price) == (4, Decimal(105))
