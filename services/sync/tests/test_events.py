"""Positions followed by the events that workers publish."""

from datetime import timedelta
from decimal import Decimal

from vyomo_contracts import subjects
from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_contracts.vocabulary import Product
from vyomo_service_kit.bus import declare_topology
from vyomo_sync.bootstrap import service
from vyomo_sync.settings import SyncSettings
from vyomo_sync.testing import NOW, Surroundings, position, sold_out, trade


async def test_events_of_linked_accounts_are_followed_and_others_ignored(running: Surroundings) -> None:
    linked, other = await running.account(), await running.account(client_id="OTHER")
    await running.sync(linked)
    bought = position(linked, 10, version=1)

    await running.publish(bought, position(other, 5, version=1))
    await running.publish(sold_out(bought, 120, version=2))
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)]


async def test_late_and_repeated_events_change_nothing(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    sold = sold_out(bought, 120, version=2)

    await running.publish(bought)
    await running.publish(sold, bought)
    await running.publish(bought)
    await running.publish(sold)
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)]


async def test_flip_closes_the_long_trade_and_opens_a_short_one(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    turned = bought.model_copy(
        update={"quantity": -5, "sell_quantity": 15, "sell_value": Decimal(1500), "version": 2}
    )

    await running.publish(bought)
    await running.publish(turned)
    await running.settled()

    assert await running.trades() == [
        trade(1, "BUY", "CLOSED", 0, exit_price=100),
        trade(2, "SELL", "OPEN", 5),
    ]


async def test_position_of_another_user_never_enters_a_session(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)

    await running.publish(position(account, 10, version=1, user_id="somebody_else"))
    await running.settled()

    assert await running.trades() == []


async def test_stop_loss_set_by_the_watcher_stays(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    await running.publish(bought)
    await running.settled()
    await running.database.execute("UPDATE sync.auto_trades SET stop_loss = 90, target = 130")

    await running.publish(sold_out(bought, 120, version=2))
    await running.settled()

    row = await running.database.fetchrow("SELECT status, stop_loss, target FROM sync.auto_trades")
    assert row is not None
    assert tuple(row) == ("CLOSED", Decimal(90), Decimal(130))


async def test_wiped_and_declared_anew_stream_is_followed_again(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    stored = running.client.jetstream()
    await running.publish(position(account, 10, version=1))
    await running.settled()

    await stored.delete_stream(SYNC_CONSUMER.stream)
    await declare_topology(stored, (SYNC_CONSUMER,))
    await running.publish(position(account, 20, version=2))
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "OPEN", 20)]


async def test_events_published_while_the_service_was_down_are_followed_at_its_start(
    settings: SyncSettings, surroundings: Surroundings
) -> None:
    await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))
    account = await surroundings.account()
    async with service(settings):
        await surroundings.sync(account)

    await surroundings.publish(position(account, 10, version=1))
    async with service(settings):
        await surroundings.settled()

    assert await surroundings.trades() == [trade(1, "BUY", "OPEN", 10)]


async def test_delivered_shares_stay_in_their_trade_until_they_are_sold(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    many = 3_000_000_000
    bought = position(account, many, version=1, product=Product.CNC)
    tomorrow = NOW + timedelta(days=1)

    await running.publish(bought)
    await running.publish(position(account, 0, version=2, product=Product.CNC, updated_at=tomorrow))
    await running.settled()
    kept = await running.trades()
    await running.publish(
        position(account, -many, version=3, product=Product.CNC, updated_at=tomorrow, last_price=1)
    )
    await running.settled()

    assert kept == [trade(1, "BUY", "OPEN", many)]
    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=100)]


async def test_message_that_is_no_envelope_is_a_dead_letter_at_once(running: Surroundings) -> None:
    for payload in (b'{"account_id": 1, "items": 3}', b"{}", b"no JSON"):
        await running.client.jetstream().publish(subjects.events("paper", 0), payload)
    await running.settled()

    letters = await running.database.fetch("SELECT consumer, deliveries FROM ledger.dead_letters")
    assert [tuple(letter) for letter in letters] == [(SYNC_CONSUMER.durable_name, 1)] * 3
