"""No order to a real broker while database or bus could forget it: both are asked as they run, durable ones and others."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from vyomo_contracts.commands import OrderReply
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_ledger.testing import USER, create_account
from vyomo_order_router.durability import DurabilityGauge
from vyomo_order_router.pressure import Pressure
from vyomo_order_router.testing import Caller
from vyomo_service_kit.database import open_database
from vyomo_service_kit.durability import database_weaknesses, read_bus_server
from vyomo_service_kit.embedded.nats import EmbeddedNats
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]
# What the tests' server runs without; a role may have them on for itself, all but those of the whole server.
SYNCHRONOUS = "SET synchronous_commit = on"


def code_of(reply: OrderReply) -> ReasonCode | None:
    return reply.problem.code if reply.problem is not None else None


@pytest.fixture
def durable_nats(tmp_path: Path) -> Iterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path, durable=True)
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def zerodha(caller: Caller) -> AsyncGenerator[int]:
    yield await create_account(caller.world.database, user_id=USER, client_id="AB1234", broker=Broker.ZERODHA)


async def test_real_broker_gets_nothing_from_a_database_that_could_forget(
    caller: Caller, zerodha: int
) -> None:
    reply = await caller.place(account=zerodha)

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.NOT_DURABLE
    assert reply.problem.code.http_status == 503
    assert reply.order is None
    assert await caller.world.rows("SELECT 1 FROM ledger.broker_orders") == []

    # Paper forgets with us.
    assert (await caller.place()).order is not None

    async def says_what_is_weak() -> bool:
        problem = (await caller.place(account=zerodha)).problem
        return problem is not None and "fsync = off" in problem.message

    await eventually(says_what_is_weak)


async def test_weaknesses_are_named_one_by_one(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        before = await database_weaknesses(connection)
        await connection.execute(SYNCHRONOUS)
        after = await database_weaknesses(connection)
    finally:
        await connection.close()

    assert [each.split()[3] for each in before] == ["fsync", "synchronous_commit", "full_page_writes"]
    assert [each.split()[3] for each in after] == ["fsync", "full_page_writes"]


def test_bus_says_whether_it_syncs(durable_nats: EmbeddedNats, nats_server: EmbeddedNats) -> None:
    assert read_bus_server(durable_nats.monitor_url).weaknesses == []
    (weakness,) = read_bus_server(nats_server.monitor_url).weaknesses
    assert "sync_interval" in weakness


async def test_page_that_is_no_nats_servers_counts_as_weak() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(OSError, match="not the monitoring page"):
            await asyncio.to_thread(read_bus_server, f"http://127.0.0.1:{port}")
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(read_bus_server, f"http://127.0.0.1:{port}")


async def test_gauge_forgets_nothing_it_cannot_ask_about_again(
    database_url: str, durable_nats: EmbeddedNats
) -> None:
    pressure = Pressure()
    async with open_database(database_url, role="vyomo_router", application="test", max_size=1) as database:
        gauge = DurabilityGauge(database, pressure, nats_monitor_url=durable_nats.monitor_url)
        assert pressure.of_durability(Broker.ANGEL, Environment.LIVE) is not None  # not looked at yet
        await gauge.run_once()
        of_database = list(pressure.weaknesses)
        durable_nats.stop()
        await gauge.run_once()
        away = list(pressure.weaknesses)
        unseen = DurabilityGauge(database, pressure, nats_monitor_url=durable_nats.monitor_url)
        await unseen.run_once()
        of_unseen = list(pressure.weaknesses)
        blind = DurabilityGauge(database, pressure, nats_monitor_url=None)
        await blind.run_once()
        of_blind = list(pressure.weaknesses)

    assert pressure.of_durability(Broker.ANGEL, Environment.SANDBOX) is None
    assert len(of_database) == 3
    # What was proven of a bus that is away stays true until it is back; of one never seen nothing is.
    assert away == of_database
    assert len(of_unseen) == 4
    assert "VYOMO_NATS_MONITOR_URL" in of_blind[-1]


async def test_durable_record_takes_orders_for_real_brokers(
    open_router: OpenRouter, durable_nats: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vyomo_order_router import durability  # noqa: PLC0415

    async def none(_: Any) -> list[str]:
        """The tests' database runs without fsync; that a durable one has no weakness, the doctor's test shows."""
        return []

    monkeypatch.setattr(durability, "database_weaknesses", none)
    async with open_router(nats_monitor_url=durable_nats.monitor_url) as caller:
        account = await create_account(
            caller.world.database, user_id=USER, client_id="AB1234", broker=Broker.ZERODHA
        )

        async def is_taken() -> bool:
            return (await caller.place(account=account)).order is not None

        await eventually(is_taken)
