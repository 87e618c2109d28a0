"""The worked cases of Kite's position conventions, and what must hold for every sequence of trades."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.portfolio import value_position
from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.positions import (
    LOTS_MAX,
    Lot,
    PositionState,
    apply_fill,
    carried_over,
    to_contract,
)
from vyomo_paper_exchange.testing import NOON

BUY, SELL = TransactionType.BUY, TransactionType.SELL


def position(multiplier: int = 1, product: Product = Product.MIS) -> PositionState:
    return PositionState(exchange=Exchange.NSE, symbol="X", product=product, multiplier=multiplier)


def traded(start: PositionState, *trades: tuple[TransactionType, int, str]) -> PositionState:
    for side, quantity, price in trades:
        start = apply_fill(start, side, quantity, Decimal(price))
    return start


def carried(quantity: int, price: str) -> PositionState:
    overnight = carried_over(traded(position(product=Product.NRML), (BUY, quantity, price)))
    assert overnight is not None
    return overnight


def test_buying_again_after_a_round_trip_averages_all_buys_of_the_day() -> None:
    after = traded(position(), (BUY, 50, "280"), (SELL, 50, "287"), (BUY, 70, "283"))

    assert after.average_price == Decimal("281.75")
    assert after.realised == 350
    assert after.unrealised(Decimal(280)) == -210
    assert after.profit(Decimal(280)) == 140


def test_selling_through_zero_closes_the_old_lots_and_opens_the_rest() -> None:
    after = traded(position(), (BUY, 100, "100"), (SELL, 150, "110"))

    assert (after.quantity, after.average_price, after.realised) == (-50, Decimal(110), Decimal(1000))
    assert after.lots == (Lot(-50, Decimal(5500)),)
    assert after.unrealised(Decimal(105)) == 250
    assert after.profit(Decimal(105)) == 1250


def test_short_after_two_sells_shows_kites_average_and_the_open_lots() -> None:
    after = traded(position(), (BUY, 100, "100"), (SELL, 100, "108"), (SELL, 50, "112"))

    assert after.average_price == Decimal("109.3333")
    assert after.open_lot_average == 112
    assert (after.realised, after.unrealised(Decimal(105))) == (800, 350)
    assert after.profit(Decimal(105)) == 1150


def test_closing_an_overnight_future_counts_today_from_the_previous_close() -> None:
    after = traded(carried(65, "24900"), (SELL, 65, "25120"))

    assert after.profit(Decimal(25120)) == 14_300
    assert after.mark_to_market(Decimal(25000), Decimal(25120)) == 7_800


def test_adding_to_an_overnight_future_averages_with_the_carried_price() -> None:
    after = traded(carried(65, "24900"), (BUY, 65, "25050"))

    assert (after.quantity, after.overnight_quantity, after.average_price) == (130, 65, Decimal(24975))
    assert after.profit(Decimal(25100)) == 16_250
    assert after.mark_to_market(Decimal(25000), Decimal(25100)) == 9_750


def test_commodity_lot_is_worth_its_multiplier() -> None:
    after = traded(position(multiplier=10), (BUY, 1, "120000"))

    assert after.profit(Decimal(120150)) == 1_500


def test_written_option_gains_as_it_falls() -> None:
    after = traded(position(), (SELL, 65, "150"))

    assert after.unrealised(Decimal(120)) == 1_950
    assert after.sell_value == 9_750


def test_closing_part_of_a_lot_takes_the_oldest_first() -> None:
    after = traded(position(), (BUY, 10, "100"), (BUY, 10, "110"), (SELL, 15, "120"))

    assert after.realised == 10 * 20 + 5 * 10
    assert after.lots == (Lot(5, Decimal(550)),)


def test_flat_position_carries_nothing_into_the_next_day() -> None:
    assert carried_over(traded(position(), (BUY, 10, "100"), (SELL, 10, "101"))) is None


def test_short_position_is_carried_at_its_open_lots() -> None:
    overnight = carried_over(traded(position(), (BUY, 5, "90"), (SELL, 15, "100")))

    assert overnight is not None
    assert (overnight.quantity, overnight.sell_value, overnight.buy_value) == (-10, 1000, 0)
    assert overnight.realised == 0
    assert overnight.mark_to_market(Decimal(98), Decimal(97)) == 10


TRADES = st.lists(
    st.tuples(
        st.sampled_from([BUY, SELL]),
        st.integers(1, 5_000),
        st.decimals("0.05", "30000", places=2, allow_nan=False),
    ),
    max_size=60,
)
PRICE = st.decimals("0.05", "30000", places=2, allow_nan=False)


@given(trades=TRADES, last=PRICE, multiplier=st.sampled_from([1, 10, 100]))
@settings(max_examples=150, deadline=None)
def test_realised_and_unrealised_always_make_the_whole_profit(
    trades: list[tuple[TransactionType, int, Decimal]], last: Decimal, multiplier: int
) -> None:
    state = position(multiplier=multiplier)
    for side, quantity, price in trades:
        state = apply_fill(state, side, quantity, price)

        assert state.realised + state.unrealised(last) == state.profit(last)
        assert sum(lot.quantity for lot in state.lots) == state.quantity
        assert all((lot.quantity > 0) == (state.quantity > 0) for lot in state.lots)
        assert len(state.lots) <= LOTS_MAX

    shown = to_contract(state, account_id=1, user_id="asha", last_price=last, at=NOON)
    valued = value_position(shown, last)
    assert valued.pnl == state.profit(last)
    assert valued.unrealised == state.unrealised(last)


@given(trades=TRADES, last=PRICE)
@settings(max_examples=60, deadline=None)
def test_the_next_day_begins_with_what_is_open_and_nothing_lost(
    trades: list[tuple[TransactionType, int, Decimal]], last: Decimal
) -> None:
    state = position()
    for side, quantity, price in trades:
        state = apply_fill(state, side, quantity, price)

    overnight = carried_over(state) or state._replace(realised=Decimal(0), lots=())

    assert overnight.unrealised(last) == state.unrealised(last)
    assert overnight.realised == 0


def test_many_prices_never_make_more_than_the_allowed_lots() -> None:
    state = position()
    for step in range(LOTS_MAX * 3):
        state = apply_fill(state, BUY, 1, Decimal(100 + step))

    assert len(state.lots) == LOTS_MAX
    assert all(earlier.value <= later.value for earlier, later in pairwise(state.lots))
    assert state.open_value == state.buy_value
