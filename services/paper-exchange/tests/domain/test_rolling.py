from datetime import UTC, datetime
from decimal import Decimal

import pytest

from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import GroupKey
from vyomo_paper_exchange.domain.rolling import final_price, roll_day
from vyomo_paper_exchange.testing import MatchingWorld

SELL = TransactionType.SELL
CNC = GroupKey(Exchange.NSE, "RELIANCE", Product.CNC)


def rolled(world: MatchingWorld, final: Decimal | None = None) -> None:
    world.clock.move(days=1)
    world.next_round()
    roll_day(world.book, world.round.view.day, lambda key: final if key.exchange is Exchange.NFO else None)


def test_delivery_purchase_becomes_a_holding_at_its_cost() -> None:
    world = MatchingWorld()
    outcome = world.place(world.order(product=Product.CNC, quantity=10))
    used = world.book.used

    rolled(world)

    holding = world.book.holdings[Exchange.NSE, "RELIANCE"]
    assert (holding.quantity, holding.average_price) == (10, outcome.update.average_price)
    assert world.book.positions[CNC].quantity == 0
    assert world.book.used == used
    assert world.book.account.day == world.round.view.day


def test_delivery_sale_reduces_the_holding_and_realises_its_gain() -> None:
    world = MatchingWorld()
    bought = world.place(world.order(product=Product.CNC, quantity=10))
    rolled(world)
    sold = world.place(world.order(product=Product.CNC, transaction_type=SELL, quantity=4))
    assert world.book.holdings[Exchange.NSE, "RELIANCE"].quantity == 10

    rolled(world)

    assert world.book.holdings[Exchange.NSE, "RELIANCE"].quantity == 6
    assert bought.update.average_price is not None
    assert sold.update.average_price is not None
    gain = 4 * (sold.update.average_price - bought.update.average_price)
    assert world.book.balance == 1_000_000 + gain


def test_intraday_position_is_carried_with_its_version() -> None:
    world = MatchingWorld()
    world.place(world.order(quantity=10))
    key = GroupKey(Exchange.NSE, "RELIANCE", Product.MIS)
    version = world.book.positions[key].version

    rolled(world)

    position = world.book.positions[key]
    assert (position.quantity, position.overnight_quantity) == (10, 10)
    assert position.version == version + 1


def test_expired_contract_settles_in_cash() -> None:
    world = MatchingWorld(capital=Decimal(10_000_000))
    world.place(world.order("NFO:NIFTY26NOVFUT", product=Product.NRML, quantity=65))
    key = GroupKey(Exchange.NFO, "NIFTY26NOVFUT", Product.NRML)
    cost = world.book.positions[key].open_value

    rolled(world, Decimal(25_100))

    settled = world.book.positions[key]
    assert (settled.quantity, settled.overnight_quantity) == (0, 65)
    assert (settled.buy_value, settled.sell_value) == (cost, 65 * 25_100)
    assert settled.realised == settled.profit(Decimal(0)) == 65 * 25_100 - cost
    assert world.book.balance == 10_000_000 + settled.realised
    assert world.book.used == 0

    rolled(world)

    assert (world.book.positions[key].buy_value, world.book.positions[key].realised) == (0, 0)
    assert world.book.balance == 10_000_000 + 65 * 25_100 - cost


@pytest.mark.parametrize("side", [TransactionType.BUY, SELL])
def test_option_that_expires_worthless_costs_or_brings_its_premium(side: TransactionType) -> None:
    world = MatchingWorld(capital=Decimal(10_000_000))
    call = "NFO:NIFTY26NOV25000CE"
    outcome = world.place(world.order(call, product=Product.NRML, quantity=65, transaction_type=side))
    premium = sum(fill.quantity * fill.price for fill in outcome.fills)

    rolled(world, Decimal(0))

    assert world.book.balance == 10_000_000 - side.sign * premium
    assert (world.book.used, world.book.available) == (0, world.book.balance)


def test_final_price_of_an_option_is_its_intrinsic_value_at_settlement() -> None:
    world, settled_at = MatchingWorld(), datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    spot = world.market.snapshot(world.listings["NSE:NIFTY"], settled_at).last_price

    call = final_price(world.listings["NFO:NIFTY26NOV24500CE"], world.market, settled_at)
    put = final_price(world.listings["NFO:NIFTY26NOV24500PE"], world.market, settled_at)

    assert (call, put) == (max(spot - 24_500, Decimal(0)), max(24_500 - spot, Decimal(0)))
