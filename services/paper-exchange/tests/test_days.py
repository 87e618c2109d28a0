"""What a new day does on a real record: orders expire, positions carry, contracts settle, instruments are listed."""

from datetime import UTC, datetime
from typing import Any

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Exchange,
    OrderState,
    Product,
    TransactionType,
)
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.generate import load_generated
from vyomo_paper_exchange.testing import listings_on
from vyomo_paper_exchange.testing.venue import Venue, make_unlimited


async def test_day_order_expires_and_the_new_day_carries_the_rest(venue: Venue) -> None:
    bought = await venue.execute(product=Product.CNC)
    waiting = await venue.passive(900)
    venue.clock.move(days=1)

    await venue.executor.match_resting()
    await venue.days.begin_day()

    expired = await venue.record.stored(waiting.order_id)
    assert (expired.state, expired.reason_code) == (OrderState.EXPIRED, ReasonCode.DAY_ENDED)
    (holding,) = await venue.record.rows("SELECT * FROM accounts.holdings")
    assert (holding["quantity"], holding["average_price"]) == (10, bought.average_price)
    (position,) = await venue.record.rows("SELECT * FROM accounts.positions")
    assert (position["quantity"], position["buy_value"], position["version"]) == (0, 0, 2)
    sold = await venue.execute(product=Product.CNC, transaction_type=TransactionType.SELL)
    assert sold.state is OrderState.FILLED


async def test_expired_option_settles_at_its_intrinsic_value_and_its_row_goes(venue: Venue) -> None:
    contract: dict[str, Any] = {
        "exchange": Exchange.NFO,
        "symbol": "NIFTY26NOV24500CE",
        "product": Product.NRML,
        "quantity": 65,
    }
    bought = await venue.execute(**contract)
    assert bought.state is OrderState.FILLED
    venue.clock.move(days=5)

    await venue.days.begin_day()

    (position,) = await venue.database_rows("SELECT quantity FROM venue.positions")
    (account,) = await venue.database_rows("SELECT realised FROM venue.accounts")
    assert position["quantity"] == 0
    assert account["realised"] != 0
    listed = await venue.record.rows("SELECT 1 FROM market.instruments WHERE symbol = 'NIFTY26NOV24500CE'")
    assert listed == []
    chain = await venue.record.rows(
        "SELECT min(expiry) AS expiry FROM market.instruments WHERE kind = 'OPTION'"
    )
    assert chain[0]["expiry"] >= venue.clock.now().date()


async def test_future_bought_late_on_its_last_day_settles_at_a_price_nobody_knew_then(
    venue: Venue, database_url: str
) -> None:
    make_unlimited(database_url, venue.record.account)
    # Monday 23 November 2026, 20:00 in India: the market is always open, so the contract still trades.
    venue.clock.at = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    await venue.days.begin_day()
    symbol = "NIFTY26NOVFUT"
    bought = await venue.execute(exchange=Exchange.NFO, symbol=symbol, product=Product.NRML, quantity=65)
    assert bought.state is OrderState.FILLED
    midnight = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    index = SeededMarket(1).snapshot(listings_on(midnight.date())["NSE:NIFTY"], midnight).last_price

    venue.clock.at = midnight
    await venue.days.begin_day()

    (account,) = await venue.database_rows("SELECT realised FROM venue.accounts")
    assert account["realised"] == 65 * (index - bought.average_price)


async def test_beginning_the_same_day_again_writes_nothing(venue: Venue) -> None:
    before = await venue.record.rows("SELECT max(updated_at) AS at, count(*) FROM market.instruments")
    venue.clock.move(minutes=5)

    await venue.days.begin_day()

    assert await venue.record.rows("SELECT max(updated_at) AS at, count(*) FROM market.instruments") == before


async def test_generated_instruments_load_beside_the_catalogue_and_trade(
    venue: Venue, database_url: str
) -> None:
    count = await load_generated(database_url, count=5_000, seed=1, at=venue.clock.now())
    again = await load_generated(database_url, count=5_000, seed=1, at=venue.clock.now())

    assert count == again == 5_000
    (row,) = await venue.record.rows(
        "SELECT symbol FROM market.instruments WHERE source = 'generated' AND exchange = 'NSE' ORDER BY symbol LIMIT 1"
    )
    order = await venue.execute(symbol=row["symbol"], quantity=1)
    assert order.state is OrderState.FILLED
