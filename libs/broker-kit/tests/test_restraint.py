"""What holds a worker on a real broker back: its account's trading state, and the broker's rate."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.testing import Behaviour, ScriptedBroker, ScriptedBrokerPort
from vyomo_broker_kit.worker import WorkerSettings, remote_worker, through
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, ControlScope, OrderState, OrderType, TradingState
from vyomo_ledger.testing import RecordWorld, create_account, record_world
from vyomo_ledger.writing import Controls, Halting, Switch
from vyomo_service_kit.testing import eventually

USER = "asha"


@pytest.fixture
async def world(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    async with record_world(database_url, nats_url, role="vyomo", brokers=(Broker.ZERODHA,)) as opened:
        yield opened


@asynccontextmanager
async def working(
    world: RecordWorld, broker: ScriptedBroker, database_url: str, nats_url: str
) -> AsyncGenerator[None]:
    settings = WorkerSettings(
        postgres_url=SecretStr(database_url), nats_url=SecretStr(nats_url), partitions=2
    )
    async with OrderTransport(broker.url, total_seconds=7) as transport:
        port = ScriptedBrokerPort(transport, world.clock)
        async with remote_worker(settings, Broker.ZERODHA, through(port)):
            yield


async def accepted(world: RecordWorld, account: int, count: int, **changes: Any) -> list[Order]:
    orders = [
        world.order(
            account,
            broker=Broker.ZERODHA,
            order_id=world.identifiers.order_id("zerodha"),
            **changes,
        )
        for _ in range(count)
    ]
    await world.ledger.accept([world.new(order) for order in orders])
    return orders


async def test_after_a_kill_no_further_call_is_made_and_what_the_broker_holds_is_cancelled(
    world: RecordWorld, database_url: str, nats_url: str
) -> None:
    account = await create_account(world.database, user_id=USER, client_id="Z1", broker=Broker.ZERODHA)
    slow = Behaviour(delay_seconds=0.4, fills=())
    async with (
        ScriptedBroker(default=slow).serving() as broker,
        working(world, broker, database_url, nats_url),
    ):
        orders = await accepted(world, account, 12)
        await eventually(lambda: len(broker.calls) >= 2)

        switch = Switch(
            user_id=USER, scope=ControlScope.GLOBAL, state=TradingState.HALTED, reason="drill", actor="k"
        )
        await Controls(world.database, world.publisher).throw(switch, world.clock.now())
        claimed = {
            row["broker_tag"]
            for row in await world.rows("SELECT broker_tag FROM ledger.broker_orders WHERE state <> 'NEW'")
        }

        async def ring(_: str, __: list[int]) -> None:
            """The worker looks by itself."""

        await Halting(world.ledger, world.clock, ring).run_once()

        async def is_over() -> bool:
            stored = [await world.stored(order.order_id) for order in orders]
            return all(each.state.is_terminal for each in stored)

        await eventually(is_over, timeout=20)
        sent = {tag for method, tag in broker.calls if method == "POST"}
        stored = [await world.stored(order.order_id) for order in orders]

    assert sent <= claimed
    assert len(claimed) < 12
    states = {each.broker_tag: (each.state, each.reason_code) for each in stored}
    for tag, (state, code) in states.items():
        expected = OrderState.CANCELLED if tag in claimed else OrderState.DENIED
        assert (state, code) == (expected, ReasonCode.TRADING_HALTED), tag


async def test_account_sends_no_faster_than_its_broker_allows(
    world: RecordWorld, database_url: str, nats_url: str
) -> None:
    account = await create_account(world.database, user_id=USER, client_id="Z1", broker=Broker.ZERODHA)
    await accepted(world, account, 12, order_type=OrderType.LIMIT)
    async with (
        ScriptedBroker(default=Behaviour()).serving() as broker,
        working(world, broker, database_url, nats_url),
    ):
        await eventually(lambda: len(broker.calls) >= 1)
        began = asyncio.get_running_loop().time()
        await eventually(lambda: len(broker.calls) >= 9, timeout=20)
        took = asyncio.get_running_loop().time() - began
        await eventually(lambda: len(broker.calls) == 12, timeout=20)

    # Eight in one second; the ninth waits for the first to be a second ago. What was seen of it is a little late.
    assert took > 0.9
