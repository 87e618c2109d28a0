"""What others left undone, and what happens while something is down."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import pytest

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.writing.accept import accept_orders
from vyomo_order_router.testing import PARTITIONS, Caller, running_router
from vyomo_service_kit.bus import BusUnavailableError
from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres
from vyomo_service_kit.migrations import migrate_async
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), durable=False) as server:
        yield server


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[EmbeddedNats]:
    with EmbeddedNats(tmp_path / "nats", durable=False) as server:
        yield server


async def test_order_nobody_sent_before_its_time_expires(open_router: OpenRouter) -> None:
    async with open_router(limit_order_seconds=0.2) as caller:
        order = await caller.placed()

        async def expired() -> bool:
            return (await caller.world.stored(order.order_id)).state is OrderState.EXPIRED

        await eventually(expired)

        stored = await caller.world.stored(order.order_id)
        assert (stored.status, stored.reason_code) == ("CANCELLED", ReasonCode.EXPIRED_UNSENT)
        assert await caller.event_types(order) == ["order.accepted", "order.expired"]


async def test_market_and_limit_orders_have_times_of_their_own(open_router: OpenRouter) -> None:
    async with open_router(market_order_seconds=5, limit_order_seconds=30) as caller:
        limit, market = await caller.placed(), await caller.placed(order_type="MARKET", price=0)

        assert (limit.expires_at - limit.created_at).total_seconds() == 30
        assert (market.expires_at - market.created_at).total_seconds() == 5


async def test_order_nobody_took_is_rung_for_again(caller: Caller) -> None:
    await caller.placed()
    caller.doorbells.clear()
    async with caller.world.database.connection() as connection:
        await connection.execute(
            "UPDATE ledger.broker_orders SET created_at = created_at - interval '6 seconds'"
        )

    await eventually(lambda: [bell.account_ids for _, bell in caller.doorbells][:1] == [(caller.account,)])


async def test_relay_publishes_what_a_dead_committer_left(caller: Caller) -> None:
    new = caller.world.new()
    async with caller.world.database.connection() as connection:
        # Committed, and its committer died before it could publish.
        await accept_orders(connection, [new], partitions=PARTITIONS)
        await connection.execute("UPDATE ledger.outbox SET created_at = now() - interval '3 seconds'")

    await eventually(lambda: len(caller.world.heard) == 1)

    [event] = caller.world.heard[0].items
    assert event.kind == "order"
    assert event.order == new.order

    async def outbox_is_empty() -> bool:
        return not await caller.world.rows("SELECT 1 FROM ledger.outbox")

    await eventually(outbox_is_empty)


async def test_wiped_streams_are_declared_anew_and_events_flow_again(
    own_nats: EmbeddedNats, database_url: str
) -> None:
    async with running_router(database_url, own_nats.url) as caller:
        await caller.world.bus.stored.delete_stream("VYOMO_EVT")

        async def is_declared() -> bool:
            names = [each.config.name for each in await caller.world.bus.stored.streams_info()]
            return "VYOMO_EVT" in names

        await eventually(is_declared, timeout=10)
        await caller.placed()

        await eventually(lambda: len(caller.world.heard) >= 1)


async def test_event_that_a_wipe_took_reaches_everybody_again_within_ten_seconds(
    own_nats: EmbeddedNats, database_url: str
) -> None:
    async with running_router(database_url, own_nats.url) as caller:
        order = await caller.placed()
        await eventually(lambda: caller.world.heard)

        async def is_cleared() -> bool:
            return not await caller.world.rows("SELECT 1 FROM ledger.outbox")

        await eventually(is_cleared)
        caller.world.heard.clear()
        await caller.world.bus.stored.delete_stream("VYOMO_EVT")

        def is_told_again() -> bool:
            items = [item for each in caller.world.heard for item in each.items]
            return [item.order for item in items if item.kind == "order"] == [order]

        await eventually(is_told_again, timeout=10)


async def test_stopped_database_is_told_and_orders_are_taken_again_when_it_returns(
    own_postgres: EmbeddedPostgres, nats_url: str
) -> None:
    await migrate_async(own_postgres.url)
    async with running_router(own_postgres.url, nats_url) as caller:
        before = await caller.placed(key="before")
        own_postgres.stop()

        placed = await caller.place_all(caller.command(key="k"), caller.command())
        cancelled = await caller.cancel(before)
        created = await caller.create_account("DEMO")

        problems = [each.problem for each in (*placed, cancelled, created)]
        assert [problem and problem.code for problem in problems] == [ReasonCode.RECORD_UNAVAILABLE] * 4

        own_postgres.start()

        async def is_taken() -> bool:
            return (await caller.place(key="k")).order is not None

        await eventually(is_taken, timeout=10)
        replay = await caller.place(key="before")
        assert replay.replayed
        assert replay.order == before


async def test_restarted_bus_finds_the_router_serving_again(
    own_nats: EmbeddedNats, database_url: str
) -> None:
    async with running_router(database_url, own_nats.url) as caller:
        await caller.placed()
        own_nats.stop()
        await eventually(lambda: not caller.world.bus.is_connected)
        own_nats.start()

        async def is_taken() -> bool:
            with suppress(BusUnavailableError):
                return (await caller.place(key="k")).order is not None
            return False

        await eventually(is_taken, timeout=10)
