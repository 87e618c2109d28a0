"""Positions whose day rolls: delivered shares stay owned, contracts settle, the rest is carried."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import Broker, Exchange, Product
from vyomo_sync.domain.following import follow
from vyomo_sync.domain.snapshots import Followed
from vyomo_sync.domain.trades import PriceBasis, Trade, TradeStatus

MONDAY = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@dataclass
class Days:
    """One position, told day by day, and the trades that follow it."""

    product: Product = Product.CNC
    day: int = 0
    version: int = 0
    known: Followed | None = None
    trades: dict[int, Trade] = field(default_factory=dict)

    def snapshot(
        self,
        *,
        bought: int = 0,
        at: int = 100,
        sold: int = 0,
        sold_at: int = 100,
        overnight: int = 0,
        last: int = 100,
    ) -> Position:
        """The day's figures: quantities and their average prices."""
        self.version += 1
        return Position(
            account_id=1,
            user_id="default_user",
            broker=Broker.PAPER,
            exchange=Exchange.NSE,
            symbol="RELIANCE",
            product=self.product,
            quantity=bought - sold,
            overnight_quantity=overnight,
            average_price=Decimal(at if bought > sold else sold_at if sold > bought else 0),
            buy_quantity=bought,
            buy_value=Decimal(bought * at),
            sell_quantity=sold,
            sell_value=Decimal(sold * sold_at),
            last_price=Decimal(last),
            version=self.version,
            updated_at=MONDAY + timedelta(days=self.day, seconds=self.version),
        )

    def see(
        self,
        *,
        bought: int = 0,
        at: int = 100,
        sold: int = 0,
        sold_at: int = 100,
        overnight: int = 0,
        last: int = 100,
    ) -> None:
        self.hear(
            self.snapshot(bought=bought, at=at, sold=sold, sold_at=sold_at, overnight=overnight, last=last)
        )

    def hear(self, position: Position) -> None:
        step = follow(self.known, position)
        if step is not None:
            self.known = step.followed
            self.trades |= {trade.number: trade for trade in step.changed}

    def next_day(self) -> None:
        self.day += 1

    def result(self, number: int = 1) -> tuple[TradeStatus, int, Decimal]:
        trade = self.trades[number]
        return trade.status, trade.quantity, trade.realised


def followed_from_the_start(product: Product = Product.CNC) -> Days:
    days = Days(product)
    days.see()
    return days


def bought_on_monday(product: Product = Product.CNC) -> Days:
    days = followed_from_the_start(product)
    days.see(bought=10)
    days.next_day()
    return days


def test_delivered_shares_keep_their_trade_open() -> None:
    days = bought_on_monday()
    days.see(last=130)

    assert days.result() == (TradeStatus.OPEN, 10, 0)


def test_sale_of_delivered_shares_closes_the_trade_at_its_price() -> None:
    days = bought_on_monday()
    days.see()
    days.see(sold=4, sold_at=120)
    assert days.result() == (TradeStatus.OPEN, 6, 80)

    days.see(sold=10, sold_at=120)
    days.next_day()
    days.see()

    assert days.result() == (TradeStatus.CLOSED, 0, 200)
    assert list(days.trades) == [1]


def test_sale_in_the_same_commit_as_the_day_roll_closes_the_trade() -> None:
    days = bought_on_monday()
    days.see(sold=10, sold_at=120)

    assert days.result() == (TradeStatus.CLOSED, 0, 200)


def test_purchase_in_the_same_commit_as_the_day_roll_adds_to_the_trade() -> None:
    days = bought_on_monday()
    days.see(bought=15, at=130)

    assert days.result() == (TradeStatus.OPEN, 25, 0)
    assert days.trades[1].entry_price == Decimal(118)


def test_purchase_with_the_same_figures_as_the_day_before_is_another_one() -> None:
    days = bought_on_monday()
    days.see(bought=10)

    assert days.result() == (TradeStatus.OPEN, 20, 0)


def test_shares_bought_back_on_the_day_of_their_sale_are_a_new_trade() -> None:
    days = bought_on_monday()
    days.see(sold=10, sold_at=120)
    days.see(sold=10, sold_at=120, bought=10, at=110)
    days.next_day()
    days.see()

    assert days.result(1) == (TradeStatus.CLOSED, 0, 200)
    assert days.result(2) == (TradeStatus.OPEN, 10, 0)
    assert days.trades[2].entry_price == Decimal(110)


def test_sale_of_older_holdings_is_no_short_trade() -> None:
    days = followed_from_the_start()
    days.see(sold=10)
    days.see(sold=10, bought=4)
    days.next_day()
    days.see()

    assert days.trades == {}


def test_sale_of_more_than_the_trade_has_sells_the_rest_of_older_holdings() -> None:
    days = bought_on_monday()
    days.see(sold=25, sold_at=120)
    days.see(sold=25, sold_at=120, bought=15, at=110)
    assert days.result() == (TradeStatus.CLOSED, 0, 200)

    days.see(sold=25, sold_at=120, bought=18, at=110)

    assert days.result(2) == (TradeStatus.OPEN, 3, 0)


def test_figures_read_again_after_midnight_are_still_of_the_old_day() -> None:
    days = bought_on_monday()
    at_night = days.snapshot(bought=10)
    days.hear(at_night.model_copy(update={"updated_at": at_night.updated_at - timedelta(hours=8)}))
    days.see()

    assert days.result() == (TradeStatus.OPEN, 10, 0)


def test_delivery_heard_late_changes_nothing() -> None:
    days = bought_on_monday()
    delivered, sold = days.snapshot(), days.snapshot(sold=10, sold_at=120)
    days.hear(sold)
    days.hear(delivered)

    assert days.result() == (TradeStatus.CLOSED, 0, 200)


def test_settled_contract_closes_at_the_price_in_its_figures() -> None:
    days = followed_from_the_start(Product.NRML)
    days.see(bought=20, sold=10)
    days.next_day()
    days.see(bought=10, at=95, overnight=10, sold=10, sold_at=150, last=0)

    assert days.result() == (TradeStatus.CLOSED, 0, 500)
    assert days.trades[1].price_basis is PriceBasis.TRADED


def test_contract_that_vanished_closes_at_the_last_price_and_says_so() -> None:
    days = bought_on_monday(Product.NRML)
    days.see(last=130)

    assert days.result() == (TradeStatus.CLOSED, 0, 300)
    assert days.trades[1].price_basis is PriceBasis.LAST_PRICE


def test_contract_that_vanished_without_a_price_invents_no_profit() -> None:
    days = bought_on_monday(Product.NRML)
    days.see(last=0)

    assert days.result() == (TradeStatus.CLOSED, 0, 0)
    assert days.trades[1].price_basis is PriceBasis.COST


def test_sale_in_the_same_commit_as_a_carried_day_has_its_own_price() -> None:
    days = followed_from_the_start(Product.NRML)
    days.see(bought=20, sold=10)
    days.next_day()
    days.see(bought=15, overnight=10, sold=5, sold_at=150, last=1)

    assert days.result() == (TradeStatus.OPEN, 10, 250)
    assert days.trades[1].price_basis is PriceBasis.TRADED


trading_days = st.lists(
    st.lists(st.tuples(st.integers(-20, 20).filter(bool), st.integers(1, 500)), max_size=4), max_size=5
)


@given(trading_days, st.integers(0, 30), st.data())
def test_delivery_trades_are_what_was_bought_less_what_was_sold(
    chosen: list[list[tuple[int, int]]], older: int, data: st.DataObject
) -> None:
    """As long as the last snapshot of each day is seen; its roll and all others may be missed."""
    days, shares = followed_from_the_start(), 0
    for fills in chosen:
        bought, sold, cost, proceeds = 0, 0, 0, 0
        start = shares
        if data.draw(st.booleans()):
            days.see()
        for quantity, price in fills:
            if older + start + bought - sold + quantity < 0:
                continue
            if quantity > 0:
                bought, cost = bought + quantity, cost + quantity * price
            else:
                sold, proceeds = sold - quantity, proceeds - quantity * price
        position = days.snapshot(bought=bought, sold=sold).model_copy(
            update={"buy_value": Decimal(cost), "sell_value": Decimal(proceeds)}
        )
        days.hear(position)
        shares = max(0, start + bought - sold)
        days.next_day()

    assert days.known is not None
    assert days.known.open_quantity == shares
    assert all(trade.price_basis is PriceBasis.TRADED for trade in days.trades.values())
