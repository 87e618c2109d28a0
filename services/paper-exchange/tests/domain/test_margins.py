from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.margins import (
    NO_ORDERS,
    Exposure,
    MarginRates,
    OpenOrders,
    group_requirement,
    is_reducing,
)
from vyomo_paper_exchange.domain.market.market import listing_of
from vyomo_paper_exchange.domain.positions import PositionState, apply_fill
from vyomo_paper_exchange.domain.tables import rows_of
from vyomo_paper_exchange.testing import NOON, listings_on

BUY, SELL = TransactionType.BUY, TransactionType.SELL
LISTINGS = listings_on(NOON.date())
RATES = MarginRates(rows_of("margin_rates"))


def exposure(key: str, product: Product, spot: str = "25000") -> Exposure:
    return Exposure(LISTINGS[key], product, Decimal(spot), NOON.date())


@pytest.mark.parametrize(
    ("key", "product", "side", "quantity", "value", "expected"),
    [
        ("NSE:RELIANCE", Product.CNC, BUY, 10, "15000", "15000"),
        ("NSE:RELIANCE", Product.MIS, BUY, 10, "15000", "3000"),
        ("NSE:RELIANCE", Product.MIS, SELL, 10, "15000", "3000"),
        ("NSE:NIFTY", Product.MIS, SELL, 1, "25000", "5000"),
        ("NFO:NIFTY26NOVFUT", Product.NRML, BUY, 65, "1625000", "183625"),
        ("NFO:NIFTY26NOV25000CE", Product.NRML, BUY, 65, "10773", "10773"),
        # A writer: 11.3 % of the index value, and the premium.
        ("NFO:NIFTY26NOV25000CE", Product.NRML, SELL, 65, "10773", "194398"),
        ("MCX:GOLD26DECFUT", Product.NRML, BUY, 1, "12450000", "1245000"),
        ("MCX:CRUDEOIL26NOVFUT", Product.MIS, BUY, 1, "542000", "162600"),
    ],
)
def test_margin_is_the_dated_percentage(
    *, key: str, product: Product, side: TransactionType, quantity: int, value: str, expected: str
) -> None:
    assert RATES.required(exposure(key, product), side, quantity, Decimal(value)) == Decimal(expected)


def test_stock_future_pays_the_stock_rate() -> None:
    stock = LISTINGS["NSE:RELIANCE"].instrument
    future = LISTINGS["NFO:NIFTY26NOVFUT"].instrument.model_copy(update={"symbol": "RELIANCE26NOVFUT"})
    listing = listing_of(future, stock)

    assert RATES.rate(listing, Product.NRML, BUY, NOON.date()) == Decimal("0.177")


def test_day_before_the_first_row_has_no_rate() -> None:
    with pytest.raises(LookupError, match="no margin rate"):
        RATES.rate(LISTINGS["NSE:RELIANCE"], Product.CNC, BUY, NOON.date().replace(year=2025))


def held(quantity: int, price: str = "100") -> PositionState:
    position = PositionState(exchange=Exchange.NSE, symbol="RELIANCE", product=Product.MIS)
    if quantity == 0:
        return position
    return apply_fill(position, BUY if quantity > 0 else SELL, abs(quantity), Decimal(price))


def required(position: PositionState, orders: OpenOrders) -> Decimal:
    return group_requirement(RATES, exposure("NSE:RELIANCE", Product.MIS), position, orders)


def test_orders_that_close_a_position_block_nothing() -> None:
    closing = NO_ORDERS.plus(SELL, 100, Decimal(10_000))

    assert required(held(100), closing) == required(held(100), NO_ORDERS) == 2_000


def test_order_through_zero_blocks_only_what_it_opens() -> None:
    reversing = NO_ORDERS.plus(SELL, 300, Decimal(30_000))

    assert required(held(100), reversing) == 4_000


def test_orders_of_both_sides_block_the_dearer_one() -> None:
    both = NO_ORDERS.plus(BUY, 100, Decimal(10_000)).plus(SELL, 50, Decimal(5_000))

    assert required(held(0), both) == 2_000


@pytest.mark.parametrize(("quantity", "expected"), [(100, True), (101, False)])
def test_reducing_means_no_more_than_what_is_open(quantity: int, *, expected: bool) -> None:
    assert is_reducing(held(100), NO_ORDERS, SELL, quantity) is expected
    assert is_reducing(held(-100), NO_ORDERS, BUY, quantity) is expected
    assert is_reducing(held(100), NO_ORDERS, BUY, quantity) is False


@given(
    quantity=st.integers(-500, 500),
    buys=st.integers(0, 1_000),
    sells=st.integers(0, 1_000),
    more=st.integers(1, 500),
    side=st.sampled_from([BUY, SELL]),
)
@settings(max_examples=150, deadline=None)
def test_margin_is_never_negative_and_never_falls_with_another_order(
    quantity: int, buys: int, sells: int, more: int, side: TransactionType
) -> None:
    orders = NO_ORDERS.plus(BUY, buys, Decimal(100 * buys)).plus(SELL, sells, Decimal(100 * sells))
    before = required(held(quantity), orders)
    after = required(held(quantity), orders.plus(side, more, Decimal(100 * more)))

    assert ZERO <= before <= after
    if is_reducing(held(quantity), orders, side, more):
        assert required(held(quantity), NO_ORDERS.plus(side, more, Decimal(100 * more))) == required(
            held(quantity), NO_ORDERS
        )
