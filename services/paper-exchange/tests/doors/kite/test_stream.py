"""The WebSocket on a real connection."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vyomo_broker_kit.ticks import Tick
from vyomo_broker_zerodha.ticks import decode
from vyomo_paper_exchange.testing.kite import API_KEY, KiteWorld

RELIANCE, INFY, NIFTY = 738561, 408065, 256265


@asynccontextmanager
async def stream(kite: KiteWorld, token: str | None = None) -> AsyncGenerator[ClientConnection]:
    query = f"api_key={API_KEY}&access_token={token or kite.access_token}&uid=123&user_id=AB1234"
    async with connect(f"{kite.ws_root}/?{query}", proxy=None) as socket:
        yield socket


async def say(socket: ClientConnection, command: str, value: object) -> None:
    await socket.send(json.dumps({"a": command, "v": value}))


async def ticks(socket: ClientConnection, count: int = 1) -> list[Tick]:
    """Of the next binary frames that have any."""
    found: list[Tick] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            message = await socket.recv()
            if isinstance(message, bytes):
                found += decode(message)
    return found


async def text(socket: ClientConnection, kind: str) -> Any:
    async with asyncio.timeout(10):
        while True:
            message = await socket.recv()
            if isinstance(message, str) and json.loads(message)["type"] == kind:
                return json.loads(message)["data"]


async def until_closed(socket: ClientConnection) -> None:
    async with asyncio.timeout(10):
        while True:
            await socket.recv()


async def test_bad_token_is_turned_away_at_the_handshake(kite: KiteWorld) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with stream(kite, token="wrong"):
            pass

    assert refusal.value.response.status_code == 403


async def test_each_mode_shows_its_fields(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        await say(socket, "subscribe", [RELIANCE, NIFTY, 99, RELIANCE | 0xFF])
        first = {tick.token: tick for tick in await ticks(socket, 2)}
        await say(socket, "mode", ["full", [RELIANCE]])
        (full,) = await ticks(socket)
        await say(socket, "mode", ["ltp", [RELIANCE]])
        (ltp,) = await ticks(socket)

    assert set(first) == {RELIANCE, NIFTY}
    assert first[RELIANCE].volume > 0
    assert first[RELIANCE].bids == ()
    assert len(full.bids) == len(full.asks) == 5
    assert Decimal(full.last_price) / 100 == await kite.venue.last_price()
    assert (ltp.volume, ltp.last_price) == (0, full.last_price)


async def test_prices_follow_the_market_until_unsubscribed(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        await say(socket, "subscribe", [RELIANCE, INFY])
        await ticks(socket, 2)
        await say(socket, "unsubscribe", [INFY])
        await say(socket, "mode", ["full", [RELIANCE]])
        (before,) = await ticks(socket)
        kite.venue.clock.move(seconds=5)
        after = await ticks(socket)

    assert {tick.token for tick in after} == {RELIANCE}
    assert after[0].exchange_time is not None
    assert before.exchange_time is not None
    assert after[0].exchange_time - before.exchange_time == 5


async def test_heartbeats_come_when_nothing_else_does(kite: KiteWorld) -> None:
    async with stream(kite) as socket, asyncio.timeout(10):
        beats = 0
        while beats < 2:
            beats += await socket.recv() == b"\x00"


async def test_orders_are_told_as_they_change(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        await text(socket, "message")
        price = str(await kite.venue.last_price() + 2)
        order_id = await kite.place(order_type="LIMIT", transaction_type="SELL", price=price)
        placed = await text(socket, "order")
        await kite.call("PUT", f"/orders/regular/{order_id}", data={"quantity": "20"})
        changed = await text(socket, "order")
        await kite.call("DELETE", f"/orders/regular/{order_id}")
        cancelled = await text(socket, "order")

    assert [each["status"] for each in (placed, changed, cancelled)] == ["OPEN", "UPDATE", "CANCELLED"]
    assert {each["order_id"] for each in (placed, changed, cancelled)} == {order_id}
    assert (changed["quantity"], cancelled["unfilled_quantity"], cancelled["checksum"]) == (20, 20, "")


async def test_socket_ends_with_the_session_it_was_opened_in(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        await text(socket, "message")
        await kite.sign_in()

        with pytest.raises(ConnectionClosed):
            await until_closed(socket)


async def test_fourth_connection_ends_the_oldest(kite: KiteWorld) -> None:
    async with stream(kite) as oldest, stream(kite), stream(kite), stream(kite) as newest:
        with pytest.raises(ConnectionClosed):
            await until_closed(oldest)
        await say(newest, "subscribe", [RELIANCE])
        assert await ticks(newest)


NONSENSE = (
    "not json",
    "[]",
    '{"a":"subscribe"}',
    '{"a":"mode","v":["depth",[1]]}',
    '{"a":"subscribe","v":' + json.dumps(list(range(1, 3002))) + "}",
    '{"a":' * 2_000,
)


async def test_nonsense_is_answered_and_survived(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        for message in NONSENSE:
            await socket.send(message)
            assert isinstance(await text(socket, "error"), str)
        await socket.send('{"a":"subscribe","v":["x", null, true, -1, 1.5, ' + str(RELIANCE) + "]}")

        assert (await ticks(socket))[0].token == RELIANCE


async def test_muted_socket_stays_open_and_says_nothing(kite: KiteWorld) -> None:
    async with stream(kite) as socket:
        await text(socket, "message")
        await kite.ask_for("mute", account_id=kite.venue.record.account, seconds=3)
        await say(socket, "subscribe", [RELIANCE])
        silent = False
        try:
            async with asyncio.timeout(2):
                while await socket.recv() == b"\x00":
                    pass  # what was on its way
        except TimeoutError:
            silent = True
        kite.venue.clock.move(seconds=4)
        assert silent
        assert await ticks(socket)
