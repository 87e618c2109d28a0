"""The worked cases of the market notes, Kite's conventions."""

from decimal import Decimal

import pytest

from vyomo_contracts.portfolio import Position, Valuation, value_position
from vyomo_contracts.testing import NOON
from vyomo_contracts.vocabulary import Broker, Exchange, Product

Trade = tuple[int, str]


def position(*trades: Trade, average: str, realised: str = "0", multiplier: int = 1) -> Position:
    """What these trades (quantity, negative when sold, and price) leave; overnight lots count as trades."""
    bought = [(quantity, Decimal(price)) for quantity, price in trades if quantity > 0]
    sold = [(-quantity, Decimal(price)) for quantity, price in trades if quantity < 0]
    return Position(
        account_id=1,
        user_id="asha",
        broker=Broker.PAPER,
        exchange=Exchange.NSE,
        symbol="RELIANCE",
        product=Product.MIS,
        quantity=sum(quantity for quantity, _ in trades),
        multiplier=multiplier,
        average_price=Decimal(average),
        buy_quantity=sum(quantity for quantity, _ in bought),
        buy_value=sum((quantity * price * multiplier for quantity, price in bought), Decimal(0)),
        sell_quantity=sum(quantity for quantity, _ in sold),
        sell_value=sum((quantity * price * multiplier for quantity, price in sold), Decimal(0)),
        realised=Decimal(realised),
        version=1,
        updated_at=NOON,
    )


CASES = {
    "partial round trip": (
        position((50, "280"), (-50, "287"), (70, "283"), average="281.75", realised="350"),
        "280",
        ("140", "350", "-210"),
    ),
    "flip from long to short": (
        position((100, "100"), (-150, "110"), average="110", realised="1000"),
        "105",
        ("1250", "1000", "250"),
    ),
    "short after a round trip": (
        position((100, "100"), (-100, "108"), (-50, "112"), average="109.3333", realised="800"),
        "105",
        ("1150", "800", "350"),
    ),
    "overnight future sold": (
        position((65, "24900"), (-65, "25120"), average="0", realised="14300"),
        "25120",
        ("14300", "14300", "0"),
    ),
    "overnight future doubled": (
        position((65, "24900"), (65, "25050"), average="24975"),
        "25100",
        ("16250", "0", "16250"),
    ),
    "multiplier of a commodity": (
        position((1, "120000"), average="120000", multiplier=10),
        "120150",
        ("1500", "0", "1500"),
    ),
    "short option": (position((-65, "150"), average="150"), "120", ("1950", "0", "1950")),
}


@pytest.mark.parametrize(("held", "last_price", "expected"), CASES.values(), ids=CASES)
def test_worked_case_is_valued_as_the_notes_say(
    held: Position, last_price: str, expected: tuple[str, str, str]
) -> None:
    valuation = value_position(held, Decimal(last_price))

    assert (valuation.pnl, valuation.realised, valuation.unrealised) == tuple(map(Decimal, expected))
    assert valuation.pnl == valuation.realised + valuation.unrealised


@pytest.mark.parametrize(
    ("held", "last_price", "percent"),
    [
        (position((10, "100"), average="100"), "110", "10.00"),
        (position((-10, "100"), average="100"), "110", "-10.00"),
        (position((-10, "100"), average="100"), "90", "10.00"),
        (position((1, "120000"), average="120000", multiplier=10), "120150", "0.13"),
        (position((10, "100"), (-10, "105"), average="0", realised="50"), "0", "5.00"),
    ],
    ids=["long in profit", "short in loss", "short in profit", "with multiplier", "flat"],
)
def test_percent_is_of_the_open_cost_with_the_sign_of_the_profit(
    held: Position, last_price: str, percent: str
) -> None:
    assert value_position(held, Decimal(last_price)).pnl_percent == Decimal(percent)


def test_position_without_any_trade_is_worth_nothing() -> None:
    nothing = Decimal(0)

    assert value_position(position(average="0"), Decimal(100)) == Valuation(
        nothing, nothing, nothing, nothing
    )
