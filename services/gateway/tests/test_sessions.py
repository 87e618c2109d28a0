"""How WebSocket sessions end: a key that is revoked, a client that reads no more, a gateway that stops."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from vyomo_gateway.events import hub
from vyomo_gateway.events.reads import REPLAY_PAGE, EventRecord
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.orders.schemas import OrderEventView
from vyomo_gateway.risk.schemas import RiskEventView

if TYPE_CHECKING:
    from conftest import Edge


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A record whose replay never ends: the same page again and again. Counts its pages."""
    pages: list[int] = []
    read_page = EventRecord.page

    async def page(
        self: EventRecord, caller: Caller, since: int, limit: int
    ) -> tuple[list[OrderEventView | RiskEventView], int]:
        events, _ = await read_page(self, caller, since, limit)
        pages.append(len(events))
        return (list(events) * REPLAY_PAGE)[:REPLAY_PAGE], since

    monkeypatch.setattr(EventRecord, "page", page)
    return pages


async def revoke(edge: "Edge", key: str) -> None:
    connection = await asyncpg.connect(edge.postgres_url, server_settings={"role": "vyomo_gateway"})
    await connection.execute(
        "UPDATE identity.api_keys SET revoked_at = now() WHERE key_id = $1", key.split("_")[2]
    )
    await connection.close()


async def until_blocked(pages: list[int]) -> None:
    """Until the replay stands still because nobody takes what it sends."""
    before = -1
    while not pages or len(pages) != before:
        before = len(pages)
        await asyncio.sleep(0.5)


async def read_on(socket: ClientConnection, *, seconds: float) -> None:
    """Read whatever comes, which must end."""
    async with asyncio.timeout(seconds):
        while True:
            await socket.recv()


async def test_a_revoked_key_gets_no_further_page_of_its_replay(
    edge: "Edge", endless: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub, "KEY_CHECK_SECONDS", 600)  # the replay itself must notice
    await edge.place()
    socket = await edge.connect(key=edge.read_key, since=0)
    assert json.loads(await socket.recv())["type"] == "hello"

    await revoke(edge, edge.read_key)

    with pytest.raises(ConnectionClosed):
        await read_on(socket, seconds=6)
    assert socket.close_code == 1008


async def test_a_revoked_client_that_reads_no_more_is_let_go(edge: "Edge", endless: list[int]):
    await edge.place()
    socket = await edge.connect(key=edge.read_key, since=0)
    await until_blocked(endless)
    known = len(endless)

    await revoke(edge, edge.read_key)
    await asyncio.sleep(hub.KEY_CHECK_SECONDS + 2 + 1)

    # Whatever it had not read yet is all it gets.
    with pytest.raises(ConnectionClosed):
        await read_on(socket, seconds=8)
    assert len(endless) == known


async def test_the_gateway_stops_in_time_although_a_client_reads_no_more(
    database_url: str,
    nats_url: str,
    tmp_path: Path,
    open_edge: Callable[[str, str, Path], Any],
    endless: list[int],
):
    loop = asyncio.get_running_loop()
    async with open_edge(database_url, nats_url, tmp_path / "keys") as edge:
        await edge.place()
        url = edge.url.replace("http://", "ws://") + "/ws?since=0"
        # Not among the sockets the fixture closes: this client never says goodbye.
        socket = await connect(url, additional_headers={"Authorization": f"Bearer {edge.key}"})
        await until_blocked(endless)
        stopping_at = loop.time()

    assert loop.time() - stopping_at < 7.5
    socket.transport.abort()
