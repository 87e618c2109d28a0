"""Ticks and order updates on real connections."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vyomo_broker_angel.ticks import decode
from vyomo_broker_kit.ticks import Tick
from vyomo_paper_exchange.testing.smartapi import API_KEY, ORDER, SmartWorld

RELIANCE, INFY = 2885, 1594


@asynccontextmanager
async def ticks_socket(angel: SmartWorld, **changes: str) -> AsyncGenerator[ClientConnection]:
    headers = {
        "Authorization": f"Bearer {angel.tokens['jwtToken']}",
        "x-api-key": API_KEY,
        "x-client-code": angel.client_code,
        "x-feed-token": angel.tokens["feedToken"],
    } | changes
    async with connect(f"{angel.ws_root}/smart-stream", additional_headers=headers, proxy=None) as socket:
        yield socket


@asynccontextmanager
async def updates_socket(angel: SmartWorld) -> AsyncGenerator[ClientConnection]:
    headers = {"Authorization": angel.headers["Authorization"]}
    url = f"{angel.ws_root}/smart-order-update"
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        assert (await text(socket))["order-status"] == "AB00"
        yield socket


async def ask(socket: ClientConnection, action: int, mode: object, *tokens: object, segment: int = 1) -> None:
    listed = [{"exchangeType": segment, "tokens": list(tokens)}]
    params = {"mode": mode, "tokenList": listed}
    await socket.send(json.dumps({"correlationID": "abc", "action": action, "params": params}))


async def tick(socket: ClientConnection) -> Tick:
    async with asyncio.timeout(10):
        while True:
            message = await socket.recv()
            if isinstance(message, bytes):
                return decode(message)


async def text(socket: ClientConnection) -> Any:
    async with asyncio.timeout(10):
        while True:
            message = await socket.recv()
            if isinstance(message, str):
                return message if message == "pong" else json.loads(message)


async def until_closed(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await socket.recv()


async def test_bad_credentials_are_turned_away_at_the_handshake(angel: SmartWorld) -> None:
    for changes in (
        {"x-feed-token": "wrong"},
        {"x-api-key": "wrong"},
        {"x-client-code": "NOBODY"},
        {"Authorization": "Bearer wrong"},
    ):
        with pytest.raises(InvalidStatus) as refusal:
            async with ticks_socket(angel, **changes):
                pass
        assert refusal.value.response.status_code == 403
    # Browsers can send no headers.
    query = f"clientCode={angel.client_code}&feedToken={angel.tokens['feedToken']}&apiKey={API_KEY}"
    async with connect(f"{angel.ws_root}/smart-stream?{query}", proxy=None) as socket:
        await ask(socket, 1, 1, "2885")
        assert (await tick(socket)).token == RELIANCE


async def test_modes_follow_the_market_until_unsubscribed(angel: SmartWorld) -> None:
    async with ticks_socket(angel) as socket:
        await ask(socket, 1, 1, "2885", "999999", "x")
        await ask(socket, 1, 1, "1594", segment=2)  # listed, but in another segment
        ltp = await tick(socket)
        await ask(socket, 1, 2, "2885")
        quote = await tick(socket)
        await ask(socket, 1, 3, "2885")
        full = await tick(socket)
        await ask(socket, 0, 1, "2885")
        await ask(socket, 0, 2, "2885")
        await ask(socket, 1, 1, "1594")
        assert (await tick(socket)).token == INFY
        last_price = await angel.venue.last_price()
        angel.venue.clock.move(seconds=5)
        again = await tick(socket)
        while again.token == INFY:
            again = await tick(socket)

    assert ltp.token == quote.token == full.token == RELIANCE
    assert Decimal(ltp.last_price) / 100 == last_price
    assert (ltp.volume, quote.bids) == (0, ())
    assert quote.volume > 0
    assert len(full.bids) == len(full.asks) == 5
    assert again.bids
    assert again.exchange_time is not None
    assert full.exchange_time is not None
    assert again.exchange_time - full.exchange_time == 5


async def test_pings_of_both_kinds_are_answered(angel: SmartWorld) -> None:
    async with ticks_socket(angel) as ticks, updates_socket(angel) as updates, asyncio.timeout(10):
        for socket in (ticks, updates):
            await socket.send("ping")
            assert await text(socket) == "pong"
            await (await socket.ping())


async def test_nonsense_is_answered_and_survived(angel: SmartWorld) -> None:
    async with ticks_socket(angel) as socket:
        for message in (
            "no json",
            "[]",
            "{}",
            '{"action":1,"params":{"mode":1,"tokenList":[7]}}',
            '{"a":' * 999,
        ):
            await socket.send(message)
            assert (await text(socket))["errorCode"] == "E1001"
        for mode in (4, "1", [1]):
            await ask(socket, 1, mode, "2885")
            refused = await text(socket)
            assert (refused["correlationID"], refused["errorCode"]) == ("abc", "E1001")
        await ask(socket, 1, 1, 2885)
        assert (await tick(socket)).token == RELIANCE


async def test_orders_are_told_as_they_change(angel: SmartWorld) -> None:
    async with updates_socket(angel) as socket:
        price = f"{await angel.last_price() * 0.97:.1f}"
        placed = await angel.place(price=price)
        change = ORDER | {"orderid": placed["orderid"], "quantity": "7", "price": price}
        await angel.data("POST", "/order/v1/modifyOrder", change)
        await angel.data("POST", "/order/v1/cancelOrder", change)
        await angel.place()
        told = [await text(socket) for _ in range(4)]

    assert [each["order-status"] for each in told] == ["AB01", "AB04", "AB02", "AB05"]
    assert {each["user-id"] for each in told} == {angel.client_code}
    assert [each["orderData"]["quantity"] for each in told] == ["10", "7", "7", "10"]
    assert told[0]["orderData"]["uniqueorderid"] == placed["uniqueorderid"]


async def test_sockets_end_with_their_session_and_a_fourth_ends_the_oldest(angel: SmartWorld) -> None:
    async with ticks_socket(angel) as oldest, ticks_socket(angel), ticks_socket(angel), ticks_socket(angel):
        await until_closed(oldest)
    async with ticks_socket(angel) as ticks, updates_socket(angel) as updates:
        await angel.data("POST", "/user/v1/logout", {"clientcode": angel.client_code})
        await until_closed(ticks)
        await until_closed(updates)


async def test_muted_socket_stays_open_and_says_nothing(angel: SmartWorld) -> None:
    async with ticks_socket(angel) as socket:
        await angel.ask_for("mute", account_id=angel.venue.record.account, seconds=3)
        await ask(socket, 1, 3, "2885")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await socket.recv()
        angel.venue.clock.move(seconds=4)
        assert (await tick(socket)).token == RELIANCE
