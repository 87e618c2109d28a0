"""NATS or PostgreSQL down: 503 within 3 seconds, and all is well again when they are back."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres
from vyomo_service_kit.migrations import migrate_async
from vyomo_service_kit.testing.waiting import eventually

if TYPE_CHECKING:
    from conftest import Edge

Opening = Callable[[str, str, Path], Any]


async def timely(request: Any) -> httpx.Response:
    started = asyncio.get_running_loop().time()
    response = await request
    assert asyncio.get_running_loop().time() - started < 3
    return response


async def assert_unavailable(request: Any, code: str) -> None:
    response = await timely(request)
    assert response.status_code == 503, response.text
    assert response.json()["error"]["code"] == code
    assert response.headers["retry-after"] == "1"


async def test_the_bus_goes_and_comes_back(database_url: str, tmp_path: Path, open_edge: Opening):
    server = EmbeddedNats(tmp_path / "nats", durable=False)
    server.start()
    try:
        async with open_edge(database_url, server.url, tmp_path / "keys") as edge:
            await _bus_outage(edge, server)
    finally:
        server.stop()


async def test_a_bus_that_hangs_is_as_bad_as_one_that_is_gone(
    database_url: str, tmp_path: Path, open_edge: Opening
):
    server = EmbeddedNats(tmp_path / "nats", durable=False)
    server.start()
    assert server.process is not None
    try:
        async with open_edge(database_url, server.url, tmp_path / "keys") as edge:
            server.process.send_signal(signal.SIGSTOP)
            await assert_unavailable(edge.client.get("/api/health"), "BUS_UNAVAILABLE")
            await assert_unavailable(
                edge.client.post(f"{edge.account}/orders", json=edge.order_body()), "BUS_UNAVAILABLE"
            )
            server.process.send_signal(signal.SIGCONT)

            async def is_back() -> bool:
                return (await edge.client.get("/api/health")).status_code == 200

            await eventually(is_back)
    finally:
        server.process.send_signal(signal.SIGCONT)
        server.stop()


async def _bus_outage(edge: "Edge", server: EmbeddedNats) -> None:
    order = await edge.place()
    socket = await edge.connect()
    path = f"{edge.account}/orders"

    server.stop()
    await eventually(lambda: not edge.world.bus.is_connected)

    await assert_unavailable(edge.client.post(path, json=edge.order_body()), "BUS_UNAVAILABLE")
    await assert_unavailable(edge.client.delete(f"{path}/{order['orderId']}"), "BUS_UNAVAILABLE")
    await assert_unavailable(edge.client.get("/api/quotes?i=NSE:TCS"), "BUS_UNAVAILABLE")
    await assert_unavailable(edge.client.get("/api/health"), "BUS_UNAVAILABLE")
    assert (await timely(edge.client.get(path))).status_code == 200
    assert (await timely(edge.client.get(f"{edge.account}/positions"))).status_code == 200

    server.start()

    async def heals() -> bool:
        return (await edge.client.post(path, json=edge.order_body())).status_code == 202

    await eventually(heals, timeout=10)
    await asyncio.wait_for(socket.wait_closed(), 5)
    assert socket.close_code == 1012
    assert (await edge.client.get("/api/health")).json()["checks"]["bus"] == "ok"


async def test_a_service_that_is_missing_is_told_at_once(edge: "Edge", nats_url: str):
    del nats_url
    for subscription in list(edge.world.bus.client._subs.values()):  # pyright: ignore[reportPrivateUsage]
        await subscription.unsubscribe()
    await edge.world.bus.until_subscribed()

    response = edge.client.post(f"{edge.account}/orders", json=edge.order_body())

    await assert_unavailable(response, "SERVICE_UNAVAILABLE")


@pytest.mark.timeout(120)
async def test_the_database_goes_and_comes_back(nats_url: str, tmp_path: Path, open_edge: Opening):
    server = EmbeddedPostgres(tmp_path / "postgres", durable=False)
    server.start()
    try:
        await migrate_async(server.url)
        async with open_edge(server.url, nats_url, tmp_path / "keys") as edge:
            await _database_outage(edge, server)
    finally:
        server.stop()


async def _database_outage(edge: "Edge", server: EmbeddedPostgres) -> None:
    path = f"{edge.account}/orders"
    await edge.place()

    server.stop()

    await asyncio.sleep(2.1)  # the key is no longer remembered
    await assert_unavailable(edge.client.get(path), "RECORD_UNAVAILABLE")
    await assert_unavailable(edge.client.post(path, json=edge.order_body()), "RECORD_UNAVAILABLE")
    await assert_unavailable(edge.client.get("/api/health"), "RECORD_UNAVAILABLE")

    server.start()

    async def heals() -> bool:
        return (await edge.client.get(path)).status_code == 200

    await eventually(heals, timeout=10)
    await eventually(lambda: _places(edge), timeout=10)
    assert (await edge.client.get("/api/health")).status_code == 200


async def _places(edge: "Edge") -> bool:
    response = await edge.client.post(f"{edge.account}/orders", json=edge.order_body())
    return response.status_code == 202
