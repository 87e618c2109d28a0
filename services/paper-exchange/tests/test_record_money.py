"""The record's own sums: trades, positions and money agree to the last digit, across a restart and a day's end."""

from decimal import Decimal

import orjson

from vyomo_contracts.orders import OrderModification
from vyomo_contracts.vocabulary import OrderState, OrderType, PendingAction, Product, TransactionType
from vyomo_paper_exchange.testing.venue import Venue

SELL = TransactionType.SELL


async def test_trades_make_the_positions_and_the_money_also_after_a_restart(venue: Venue) -> None:
    await venue.execute(quantity=30)
    turned = await venue.execute(quantity=50, transaction_type=SELL)
    assert turned.state is OrderState.FILLED
    await venue.execute(quantity=7, product=Product.CNC)
    await venue.execute(quantity=4, product=Product.CNC, transaction_type=SELL)
    cancelled = await venue.passive(900, quantity=5)
    await venue.ask(cancelled, PendingAction.CANCEL)
    waiting = await venue.passive(3, quantity=9)
    await venue.ask(waiting, PendingAction.MODIFY, OrderModification(quantity=6))
    await agrees(venue)

    restarted = await venue.another()
    await restarted.executor.restore()
    filled = await restarted.until_traded(waiting)
    assert (filled.state, filled.filled_quantity) == (OrderState.FILLED, 6)
    await agrees(venue)

    restarted.clock.move(days=1)
    await restarted.days.begin_day()
    await restarted.execute(quantity=3, order_type=OrderType.MARKET)
    await agrees(venue)


async def agrees(venue: Venue) -> None:
    traded = await venue.record.rows(
        "SELECT exchange, symbol, product,"
        " sum(CASE transaction_type WHEN 'BUY' THEN quantity ELSE -quantity END) AS quantity FROM ledger.fills"
        " GROUP BY exchange, symbol, product"
    )
    stored = await venue.record.rows("SELECT exchange, symbol, product, quantity FROM accounts.positions")
    delivered = {
        (row["exchange"], row["symbol"], "CNC"): row["quantity"]
        for row in await venue.record.rows("SELECT exchange, symbol, quantity FROM accounts.holdings")
    }
    held = {tuple(row.values())[:3]: row["quantity"] for row in stored}
    assert {tuple(row.values())[:3]: row["quantity"] for row in traded} == {
        key: quantity + delivered.get(key, 0) for key, quantity in held.items()
    }

    (paid,) = await venue.record.rows(
        "SELECT sum(CASE transaction_type WHEN 'BUY' THEN 1 ELSE -1 END * quantity * price) AS value FROM ledger.fills"
    )
    lots = await venue.database_rows(
        "SELECT lots FROM venue.positions UNION ALL SELECT lots FROM venue.holdings"
    )
    cost = sum(
        Decimal(value) if quantity > 0 else -Decimal(value)
        for row in lots
        for quantity, value in orjson.loads(row["lots"])
    )
    (account,) = await venue.record.rows(
        "SELECT balance, margin_used, margin_available FROM accounts.broker_accounts WHERE id = $1",
        venue.record.account,
    )
    assert account["balance"] == 100_000 - paid["value"] + cost
    assert account["margin_available"] == account["balance"] - account["margin_used"]
    assert account["margin_used"] >= 0
