"""Positions followed from the record, when no event told of them."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_service_kit.bus import declare_topology
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Database
from vyomo_service_kit.embedded import EmbeddedNats
from vyomo_service_kit.testing import eventually
from vyomo_sync.adapters.lagging import lagging_positions
from vyomo_sync.bootstrap import service
from vyomo_sync.mirroring import Mirroring
from vyomo_sync.reconciling import PATIENCE_LOOKS, Reconciling
from vyomo_sync.settings import SyncSettings
from vyomo_sync.testing import Surroundings, position, sold_out, surroundings_of, sync_request, trade


async def test_changes_without_events_are_followed(running: Surroundings) -> None:
    account, other = await running.account(), await running.account(client_id="OTHER")
    await running.sync(account)
    bought = position(account, 10, version=1)

    await running.record(bought, position(other, 5, version=1))
    await eventually(lambda: running.shows(trade(1, "BUY", "OPEN", 10)))
    await running.record(sold_out(bought, 120, version=2))
    await eventually(lambda: running.shows(trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)))


async def test_event_lost_with_its_stream_is_made_up_for(
    settings: SyncSettings, surroundings: Surroundings
) -> None:
    stored = surroundings.client.jetstream()
    await declare_topology(stored, (SYNC_CONSUMER,))
    account = await surroundings.account()
    bought = position(account, 10, version=1)
    async with service(settings):
        await surroundings.sync(account)
        await surroundings.sync(account, session_id=8)

    await surroundings.record(bought)
    await surroundings.publish(bought)
    await stored.delete_stream(SYNC_CONSUMER.stream)
    await declare_topology(stored, (SYNC_CONSUMER,))

    async with service(settings):
        row = trade(1, "BUY", "OPEN", 10)
        await eventually(lambda: surroundings.shows(row, (8, *row[1:])))


async def test_event_that_comes_after_the_record_was_read_changes_nothing(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    sold = sold_out(bought, 120, version=2)
    await running.record(bought)
    await eventually(lambda: running.shows(trade(1, "BUY", "OPEN", 10)))
    await running.record(sold)
    await eventually(lambda: running.shows(trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)))

    await running.publish(bought)
    await running.publish(sold)
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)]


async def test_nobody_lags_behind_what_was_followed(running: Surroundings) -> None:
    account = await running.account()
    await running.record(position(account, 10, version=1), position(account, 0, version=4, symbol="TCS"))
    await running.sync(account)

    assert await lagging_positions(running.database) == []


async def test_a_bus_that_comes_back_makes_it_look_at_once(database_url: str, tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats", durable=False)
    server.start()
    try:
        settings = SyncSettings(
            nats_url=SecretStr(server.url), postgres_url=SecretStr(database_url), reconcile_seconds=600
        )
        async with surroundings_of(settings) as surroundings:
            await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))
            async with service(settings):
                account = await surroundings.account()
                await surroundings.sync(account)
                server.stop()
                await surroundings.record(position(account, 10, version=1))
                server.start()
                await eventually(lambda: surroundings.shows(trade(1, "BUY", "OPEN", 10)), timeout=15)
    finally:
        server.stop()


class SlowBus:
    """Says that events wait, for a while."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    async def do_events_wait(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


@pytest.mark.parametrize("looks", [2, 1000])
async def test_waiting_events_go_first_but_not_for_ever(
    looks: int, surroundings: Surroundings, sync_database: Database
) -> None:
    mirroring = Mirroring(sync_database, SystemClock())
    reconciling = Reconciling(sync_database, mirroring, SlowBus(looks).do_events_wait)
    account = await surroundings.account()
    await mirroring.sync(sync_request(account))
    await surroundings.record(position(account, 10, version=1))
    before = min(looks, PATIENCE_LOOKS)

    for _ in range(before):
        await reconciling.run_once()
        assert await surroundings.trades() == []
    await reconciling.run_once()

    assert await surroundings.trades() == [trade(1, "BUY", "OPEN", 10)]
