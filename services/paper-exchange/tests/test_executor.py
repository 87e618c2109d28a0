"""The executor on a real record: what it claims, writes and publishes, and what a failure or a restart leaves."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.events import FundsChanged, OrderChanged, PositionChanged
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    OrderState,
    OrderType,
    PendingAction,
    Product,
    TransactionType,
)
from vyomo_ledger.writing import Ledger, LedgerTransaction
from vyomo_paper_exchange.adapters.store import AccountRows
from vyomo_paper_exchange.domain.execution import Round
from vyomo_paper_exchange.testing.venue import Venue, make_unlimited
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.testing import eventually


async def test_market_order_is_filled_in_one_step_with_position_funds_and_events(venue: Venue) -> None:
    order = await venue.execute()

    assert (order.state, order.version, order.filled_quantity) == (OrderState.FILLED, 2, 10)
    (position,) = await venue.record.rows("SELECT * FROM accounts.positions")
    assert (position["quantity"], position["average_price"]) == (10, order.average_price)
    (account,) = await venue.record.rows(
        "SELECT * FROM accounts.broker_accounts WHERE id = $1", venue.record.account
    )
    assert account["balance"] == 100_000
    assert account["margin_used"] >= order.average_price * 10 / 5
    assert account["margin_available"] == account["balance"] - account["margin_used"]
    (fill,) = await venue.record.rows("SELECT * FROM ledger.fills")
    assert (fill["trade_id"], fill["quantity"], fill["basis"]) == (f"{order.order_id}-1", 10, "depth")

    def heard_all() -> bool:
        events = [item for envelope in venue.record.heard for item in envelope.items]
        kinds = [
            type(item) for item in events if not isinstance(item, OrderChanged) or item.order.version == 2
        ]
        return {OrderChanged, PositionChanged, FundsChanged} <= set(kinds)

    await eventually(heard_all)


async def test_venue_keeps_its_own_row_of_every_order(venue: Venue) -> None:
    filled = await venue.execute()
    rejected = await venue.execute(quantity=100_000)

    orders = await venue.database_rows("SELECT * FROM venue.paper_orders ORDER BY id")
    assert [(row["order_id"], row["status"], row["filled_quantity"]) for row in orders] == [
        (filled.order_id, "COMPLETE", 10),
        (rejected.order_id, "REJECTED", 0),
    ]
    assert rejected.reason_code is ReasonCode.MARGIN_INSUFFICIENT
    assert len(await venue.database_rows("SELECT * FROM venue.trades")) == 1


async def test_orders_of_several_accounts_share_one_round(venue: Venue) -> None:
    accounts = (venue.record.account, venue.record.second_account)
    orders = [await venue.accept(account) for account in (*accounts, *accounts)]

    await venue.executor.run(accounts)

    stored = [await venue.record.stored(order.order_id) for order in orders]
    assert {order.state for order in stored} == {OrderState.FILLED}
    assert len(await venue.record.rows("SELECT DISTINCT xmin::text FROM ledger.fills")) == 1
    assert len(await venue.record.rows("SELECT * FROM accounts.positions")) == 2


async def test_resting_order_is_cancelled(venue: Venue) -> None:
    order = await venue.passive(50)
    assert order.state is OrderState.OPEN

    cancelled = await venue.ask(order, PendingAction.CANCEL)

    assert (cancelled.state, cancelled.pending_action) == (OrderState.CANCELLED, None)
    assert len(venue.resting) == 0


async def test_resting_order_is_modified_and_trades(venue: Venue) -> None:
    order = await venue.passive(50)

    better = OrderModification(price=await venue.last_price() - 1)
    modified = await venue.ask(order, PendingAction.MODIFY, better)

    assert (modified.state, modified.price) == (OrderState.FILLED, better.price)


async def test_resting_order_trades_when_the_market_comes(venue: Venue) -> None:
    order = await venue.passive(3)

    filled = await venue.until_traded(order)

    assert (filled.state, filled.average_price) == (OrderState.FILLED, order.price)
    fills = await venue.record.rows("SELECT basis, quantity FROM ledger.fills ORDER BY id")
    assert {fill["basis"] for fill in fills} == {"queue"}
    assert sum(fill["quantity"] for fill in fills) == 10


async def test_restart_restores_resting_orders_where_they_were(venue: Venue) -> None:
    order = await venue.passive(3)
    other = await venue.another()

    await other.executor.restore()

    assert other.resting.get(order.order_id) == venue.resting.get(order.order_id)
    assert (await other.until_traded(order)).state is OrderState.FILLED


async def test_memory_is_corrected_when_another_process_served_the_order(venue: Venue) -> None:
    order = await venue.passive(3)
    other = await venue.another()
    await other.executor.restore()
    await other.ask(order, PendingAction.CANCEL)

    stored = await venue.until_traded(order)

    assert stored.state is OrderState.CANCELLED
    assert await venue.record.rows("SELECT * FROM ledger.fills") == []


async def test_account_that_was_held_by_another_process_is_read_again(venue: Venue) -> None:
    await venue.execute()
    pairs, day = [("NSE", "RELIANCE")], venue.clock.now().date()
    async with venue.database.transaction() as holder:
        held = await venue.store.load(holder, [venue.record.account], pairs, day)

        async def load() -> dict[int, AccountRows]:
            async with venue.database.transaction() as waiter:
                return await venue.store.load(waiter, [venue.record.account], pairs, day)

        waiting = asyncio.create_task(load())
        await eventually(lambda: venue.database_rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
        await holder.execute("UPDATE venue.positions SET quantity = 7")
        await holder.execute("UPDATE venue.accounts SET version = version + 1")

    loaded = await waiting
    assert held[venue.record.account].positions[0].quantity == 10
    assert loaded[venue.record.account].positions[0].quantity == 7


async def test_failed_commit_takes_no_liquidity_and_leaves_the_order_waiting(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = await venue.accept()

    def fail(*_: object, **__: object) -> None:
        raise RecordUnavailableError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(venue.store, "save", fail)
        with pytest.raises(RecordUnavailableError):
            await venue.executor.run([order.account_id])
    assert (await venue.record.stored(order.order_id)).state is OrderState.NEW
    assert venue.consumption.own() == {}
    assert await venue.database_rows("SELECT * FROM venue.paper_orders") == []

    await venue.executor.run([order.account_id])
    assert (await venue.record.stored(order.order_id)).state is OrderState.FILLED


async def test_order_whose_commit_was_answered_by_silence_is_found_again(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    price = await venue.last_price() + Decimal("0.30")
    order = await venue.accept(order_type=OrderType.LIMIT, price=price, transaction_type=TransactionType.SELL)
    transaction = Ledger.transaction

    @asynccontextmanager
    async def answer_lost(ledger: Ledger) -> AsyncGenerator[LedgerTransaction]:
        async with transaction(ledger) as opened:
            yield opened
        raise RecordUnavailableError("connection lost after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "transaction", answer_lost)
        with pytest.raises(RecordUnavailableError):
            await venue.executor.run([order.account_id])
    assert len(venue.resting) == 0

    await venue.executor.run([order.account_id])

    assert venue.resting.get(order.order_id) is not None
    assert (await venue.until_traded(order)).state is OrderState.FILLED


async def test_one_account_in_trouble_does_not_stop_another(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await venue.accept(), await venue.accept(venue.record.second_account)
    place = Round.place

    def fail_for_bad(round_: Any, order: Order, *rest: Any) -> None:
        if order.order_id == bad.order_id:
            raise ValueError("a bug")
        place(round_, order, *rest)

    monkeypatch.setattr("vyomo_paper_exchange.domain.execution.Round.place", fail_for_bad)
    with pytest.raises(ExceptionGroup):
        await venue.executor.run([bad.account_id, good.account_id])

    assert (await venue.record.stored(bad.order_id)).state is OrderState.NEW
    assert (await venue.record.stored(good.order_id)).state is OrderState.FILLED


async def test_one_account_in_trouble_does_not_stop_the_resting_orders_of_another(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await venue.last_price() + Decimal("0.20")
    stop: dict[str, Any] = {"order_type": OrderType.SL_M, "trigger_price": trigger}
    bad = await venue.execute(**stop)
    good = await venue.execute(venue.record.second_account, **stop)
    begin = Round.trigger

    def fail_for_bad(round_: Any, order: Order, *rest: Any) -> None:
        begin(round_, order, *rest)
        if order.order_id == bad.order_id:
            raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(Round, "trigger", fail_for_bad)
        await venue.until_rest(1)

    assert (await venue.record.stored(good.order_id)).state is OrderState.FILLED
    assert (await venue.record.stored(bad.order_id)).state is OrderState.TRIGGER_PENDING
    assert (await venue.until_traded(bad)).state is OrderState.FILLED


async def test_many_orders_that_trigger_at_once_take_several_commits(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await venue.last_price() + Decimal("0.20")
    stops = [await venue.execute(order_type=OrderType.SL_M, trigger_price=trigger) for _ in range(3)]
    monkeypatch.setattr("vyomo_paper_exchange.executor.CHANGES_A_TICK", 2)

    await venue.until_rest(0)

    states = {(await venue.record.stored(order.order_id)).state for order in stops}
    assert states == {OrderState.FILLED}
    assert len(await venue.record.rows("SELECT DISTINCT xmin::text FROM ledger.fills")) == 2
    assert len(await venue.record.rows("SELECT DISTINCT filled_at FROM ledger.fills")) == 1


async def test_stop_that_another_process_moved_waits_for_its_new_trigger(venue: Venue) -> None:
    price = await venue.last_price()
    stop = await venue.execute(order_type=OrderType.SL, price=price + 20, trigger_price=price + 1)
    other = await venue.another()
    await other.executor.restore()
    further = OrderModification(trigger_price=price + 15)
    await other.ask(stop, PendingAction.MODIFY, further)

    while await venue.last_price() < price + 1:
        venue.clock.move(milliseconds=250)
        await venue.executor.match_resting()

    stored = await venue.record.stored(stop.order_id)
    assert (stored.state, stored.trigger_price) == (OrderState.TRIGGER_PENDING, price + 15)


async def test_account_created_with_unlimited_capital_has_no_balance(venue: Venue, database_url: str) -> None:
    make_unlimited(database_url, venue.record.account)

    order = await venue.execute(quantity=4_000, product=Product.CNC)

    assert order.state is OrderState.FILLED
    (account,) = await venue.record.rows(
        "SELECT balance, margin_available, margin_used FROM accounts.broker_accounts WHERE id = $1",
        venue.record.account,
    )
    assert (account["balance"], account["margin_available"]) == (None, None)
    assert account["margin_used"] > 100_000


async def test_stop_triggers_and_trades(venue: Venue) -> None:
    trigger = await venue.last_price() + Decimal("0.20")
    order = await venue.execute(order_type=OrderType.SL_M, trigger_price=trigger)
    assert order.state is OrderState.TRIGGER_PENDING

    filled = await venue.until_traded(order)

    assert filled.state is OrderState.FILLED
    (row,) = await venue.database_rows("SELECT triggered_at, protection_price FROM venue.paper_orders")
    assert row["triggered_at"] <= venue.clock.now() + timedelta(seconds=1)
    assert row["protection_price"] >= filled.average_price
