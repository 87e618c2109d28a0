"""What a caller asks of the service, and what the gateway may see of it."""

import asyncio

from vyomo_contracts import subjects
from vyomo_contracts.messages import Failure
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_service_kit.bus import declare_topology
from vyomo_sync.bootstrap import service
from vyomo_sync.settings import SyncSettings
from vyomo_sync.testing import Surroundings, position, trade


async def test_sync_mirrors_positions_and_repeats_without_effect(running: Surroundings) -> None:
    account = await running.account()
    await running.record(
        position(account, 10, version=3),
        position(account, -5, version=1, symbol="TCS"),
        position(account, 0, version=2, symbol="INFY"),
    )

    first, second = await running.sync(account), await running.sync(account)

    assert (first.problem, first.synced) == (None, 3)
    assert second == first
    assert await running.trades() == [trade(1, "BUY", "OPEN", 10), trade(1, "SELL", "OPEN", 5)]


async def test_foreign_account_is_not_found_and_leaves_no_session(running: Surroundings) -> None:
    account = await running.account("somebody_else")

    reply = await running.sync(account)

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.ACCOUNT_NOT_FOUND
    assert await running.database.fetchval("SELECT count(*) FROM sync.trading_sessions") == 0


async def test_session_belongs_to_whoever_named_it_first(running: Surroundings) -> None:
    mine, theirs = await running.account(), await running.account("somebody_else")

    replies = await running.sync_all([(mine, 7, "default_user"), (theirs, 7, "somebody_else")])

    assert replies[0].problem is None
    assert replies[1].problem is not None
    assert replies[1].problem.code is ReasonCode.SESSION_NOT_FOUND


async def test_unreadable_request_is_answered_at_once(running: Surroundings) -> None:
    response = await running.client.request(subjects.SYNC_POSITIONS, b'{"items": []}', timeout=2)

    assert Failure.model_validate_json(response.data).problem.code is ReasonCode.INVALID_FIELD


async def test_start_waits_for_the_stream(settings: SyncSettings, surroundings: Surroundings) -> None:
    async def declare_late() -> None:
        await asyncio.sleep(0.3)
        await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))

    account = await surroundings.account()
    declaring = asyncio.create_task(declare_late())
    async with service(settings):
        reply = await surroundings.sync(account)
    await declaring

    assert reply.problem is None


async def test_gateway_sees_the_trades_of_its_user_only(running: Surroundings) -> None:
    account = await running.account()
    await running.record(position(account, 10, version=1))
    await running.sync(account)

    await running.database.execute("SET ROLE vyomo_gateway")
    counts = []
    for user_id in ("default_user", "somebody_else"):
        await running.database.execute("SELECT set_config('vyomo.user_id', $1, false)", user_id)
        counts.append(await running.database.fetchval("SELECT count(*) FROM sync.auto_trades"))

    assert counts == [1, 0]
