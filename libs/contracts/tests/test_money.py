from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.money import is_on_tick, nearest_ticks, to_price

ticks = st.sampled_from(
    [Decimal("0.01"), Decimal("0.05"), Decimal("0.1"), Decimal("0.5"), Decimal(1), Decimal(5)]
)
prices = st.decimals(0, 10_000_000, places=4)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("1.00005", "1.0001"), ("1.00004", "1.0000"), ("-1.00005", "-1.0001"), ("7", "7.0000")],
)
def test_prices_are_rounded_half_up_to_four_places(value: str, rounded: str) -> None:
    assert str(to_price(Decimal(value))) == rounded


@given(st.integers(0, 10_000_000), ticks)
def test_whole_ticks_are_on_tick(count: int, tick: Decimal) -> None:
    assert is_on_tick(count * tick, tick)


@given(prices, ticks)
def test_off_tick_price_lies_between_its_two_nearest_legal_prices(price: Decimal, tick: Decimal) -> None:
    below, above = nearest_ticks(price, tick)

    assert below <= price < above
    assert above - below == tick
    assert is_on_tick(below, tick)
    assert is_on_tick(above, tick)
    assert is_on_tick(price, tick) is (price == below)
