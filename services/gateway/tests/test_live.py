"""The WebSocket: what is pushed to whom, and how a client resumes without a gap."""

import asyncio
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from vyomo_contracts import subjects
from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.portfolio import Funds, Position
from vyomo_contracts.queries import LastPrice, TickFrame
from vyomo_contracts.sessions import BrokerSession, SessionState
from vyomo_contracts.vocabulary import Broker, Exchange, OrderState, Product
from vyomo_gateway.events import feed as feeds
from vyomo_gateway.events import session as sessions
from vyomo_ledger.writing import raise_alert
from vyomo_service_kit.embedded import EmbeddedNats
from vyomo_service_kit.testing.waiting import eventually

if TYPE_CHECKING:
    from conftest import Edge


async def hear(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), 5))


async def hear_until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        message = await hear(socket)
        if message["type"] == kind:
            return message


async def say(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


def position(edge: "Edge", **changes: Any) -> Position:
    bought = Position(
        account_id=edge.world.account,
        user_id="asha",
        broker=Broker.PAPER,
        exchange=Exchange.NSE,
        symbol="RELIANCE",
        product=Product.MIS,
        quantity=10,
        average_price=Decimal("100.5"),
        buy_quantity=10,
        buy_value=Decimal(1005),
        last_price=Decimal(101),
        version=1,
        updated_at=edge.world.clock.now(),
    )
    return bought.model_copy(update=changes)


async def save(edge: "Edge", *things: Position | Funds) -> None:
    async with edge.behind.workers.transaction() as transaction:
        transaction.save_positions([thing for thing in things if isinstance(thing, Position)])
        transaction.save_funds([thing for thing in things if isinstance(thing, Funds)])


async def tick(edge: "Edge", key: str, price: str) -> None:
    ticks = (LastPrice(key=key, price=price, volume=7),)
    frame = TickFrame(**edge.behind.reply_head(TickFrame), ticks=ticks)
    await edge.world.bus.publish(subjects.TICKS, frame)


async def test_a_client_is_greeted_and_told_how_things_stand(edge: "Edge"):
    await save(edge, position(edge))
    edge.behind.prices["NSE:RELIANCE"] = Decimal("102.5")

    socket = await edge.connect()

    hello = await hear(socket)
    assert hello["type"] == "hello"
    assert isinstance(hello["cursor"], int)
    shown = (await hear(socket))["position"]
    assert (shown["quantity"], shown["currentPrice"], shown["pnl"], shown["stale"]) == (10, 102.5, 20, False)
    margins = [await hear(socket), await hear(socket)]
    assert [message["type"] for message in margins] == ["margin", "margin"]
    assert margins[0]["margins"]["available"] == 100000
    assert (await hear(socket))["type"] == "live"
    price = await hear(socket)
    assert price["prices"] == [{"instrument": "NSE:RELIANCE", "lastPrice": 102.5, "volume": 1000}]


async def test_orders_are_pushed_to_their_user_only(edge: "Edge"):
    mine = await edge.connect()
    theirs = await edge.connect(key=edge.other_key)
    await hear_until(mine, "live")
    await hear_until(theirs, "live")

    order = await edge.place()
    await edge.behind.fill(order["orderId"], 10, "250.25")

    first = await hear_until(mine, "order")
    second = await hear_until(mine, "order")
    assert [first["order"]["state"], second["order"]["state"]] == ["NEW", "FILLED"]
    assert second["order"]["averagePrice"] == 250.25
    assert first["cursor"] <= first["sequence"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(theirs.recv(), 0.2)


async def test_positions_and_funds_are_pushed(edge: "Edge"):
    socket = await edge.connect()
    await hear_until(socket, "live")
    funds = Funds(
        account_id=edge.world.account,
        user_id="asha",
        broker=Broker.PAPER,
        balance=Decimal(100_000),
        used=Decimal(201),
        available=Decimal(99_799),
        version=1,
        updated_at=edge.world.clock.now(),
    )

    await save(edge, position(edge), funds)

    pushed = {message["type"]: message for message in [await hear(socket), await hear(socket)]}
    assert pushed["position"]["position"]["quantity"] == 10
    assert pushed["margin"]["margins"]["available"] == 99799
    assert pushed["margin"]["accountId"] == edge.world.account


async def test_alerts_and_sessions_are_pushed_to_their_user_only(edge: "Edge"):
    mine = await edge.connect()
    theirs = await edge.connect(key=edge.other_key)
    await hear_until(mine, "live")
    await hear_until(theirs, "live")
    alert = Alert(
        account_id=edge.world.account,
        user_id="asha",
        broker=Broker.ZERODHA,
        code=AlertCode.ORDER_REAPPEARED,
        subject="ZERODHA_1",
        message="it is at the broker after all",
        raised_at=edge.world.clock.now(),
    )

    session = BrokerSession(
        account_id=edge.world.account,
        user_id="asha",
        broker=Broker.ZERODHA,
        state=SessionState.EXPIRED,
        reason="the broker refused the session",
        updated_at=edge.world.clock.now(),
    )

    async with edge.behind.workers.transaction() as transaction:
        await raise_alert(transaction, alert)
        transaction.announce_session(session)

    told = await hear(mine)
    assert (told["type"], told["code"], told["subject"]) == ("alert", "ORDER_REAPPEARED", "ZERODHA_1")
    assert told["accountId"] == edge.world.account
    told = await hear(mine)
    assert (told["type"], told["state"], told["validUntil"]) == ("session", "EXPIRED", None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(theirs.recv(), 0.2)


async def test_a_resumed_client_misses_nothing(edge: "Edge"):
    first = await edge.connect()
    cursor = (await hear(first))["cursor"]
    await hear_until(first, "live")
    known = (await edge.place())["orderId"]
    cursor = max(cursor, (await hear_until(first, "order"))["cursor"])
    await first.close()

    missed = [(await edge.place())["orderId"] for _ in range(3)]
    await edge.behind.fill(missed[0], 10, "250")
    resumed = await edge.connect(since=cursor)
    later = (await edge.place())["orderId"]

    seen: set[tuple[str, int]] = set()
    while (later, 1) not in seen:
        message = await hear_until(resumed, "order")
        seen.add((message["order"]["orderId"], message["order"]["version"]))
    assert seen - {(known, 1)} == {*((order_id, 1) for order_id in missed), (missed[0], 2), (later, 1)}


async def test_a_bad_cursor_is_refused_at_the_handshake(edge: "Edge"):
    with pytest.raises(InvalidStatus) as refused:
        await edge.connect(since=-1)

    assert refused.value.response.status_code == 422
    assert json.loads(refused.value.response.body or b"")["error"]["field"] == "since"


async def test_prices_are_pushed_to_those_who_subscribed(edge: "Edge"):
    edge.behind.prices["NSE:TCS"] = Decimal(4000)
    socket = await edge.connect()
    await hear_until(socket, "live")

    await say(socket, type="subscribe", instruments=["NSE:TCS"])

    assert (await hear_until(socket, "subscribed"))["instruments"] == ["NSE:TCS"]
    assert (await hear_until(socket, "price"))["prices"][0]["lastPrice"] == 4000
    await eventually(lambda: edge.behind.watched)
    assert edge.behind.watched[-1].keys == ("NSE:TCS",)
    for price in ("4001.00", "4002.00", "4003.50"):
        await tick(edge, "NSE:TCS", price)
    await tick(edge, "NSE:INFY", "1500")
    pushed = (await hear_until(socket, "price"))["prices"]
    assert pushed == [{"instrument": "NSE:TCS", "lastPrice": 4003.5, "volume": 7}]

    await say(socket, type="unsubscribe", instruments=["NSE:TCS"])
    assert (await hear_until(socket, "subscribed"))["instruments"] == []
    await tick(edge, "NSE:TCS", "1")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(socket.recv(), 0.3)


async def test_an_opened_position_is_priced_without_being_asked_for(edge: "Edge"):
    socket = await edge.connect()
    await hear_until(socket, "live")

    await save(edge, position(edge))
    await hear_until(socket, "position")
    await eventually(lambda: edge.behind.watched)
    await tick(edge, "NSE:RELIANCE", "103.00")

    assert (await hear_until(socket, "price"))["prices"][0]["lastPrice"] == 103


async def test_nothing_is_taken_from_the_bus_while_nobody_listens(
    edge: "Edge", nats_server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feeds, "LINGER_SECONDS", 0.1)

    def taken() -> set[str]:
        connections = nats_server.monitor("connz?subs=true")["connections"]
        (gateway,) = [connection for connection in connections if connection["name"] == "gateway"]
        listed = {subject for subject in gateway.get("subscriptions_list", ()) if subject.startswith("vyomo")}
        return listed - {subjects.health("gateway")}

    assert taken() == set()
    socket = await edge.connect()
    await hear_until(socket, "live")
    assert taken() == {subjects.ALL_EVENTS}
    await say(socket, type="subscribe", instruments=["NSE:TCS"])
    await eventually(lambda: taken() == {subjects.ALL_EVENTS, subjects.TICKS})

    await socket.close()

    await eventually(lambda: taken() == set())


async def test_what_is_not_understood_is_answered_and_the_client_stays(edge: "Edge"):
    socket = await edge.connect()
    await hear_until(socket, "live")

    for text in ("{", "[]", '{"type":"dance"}', '{"type":"subscribe"}', '{"type":"ping","x":1}', "[" * 9000):
        await socket.send(text)
        assert (await hear_until(socket, "error"))["error"]["code"] == "INVALID_FIELD"
    await say(socket, type="subscribe", instruments=["RELIANCE"])
    assert (await hear_until(socket, "error"))["error"]["field"] == "instruments"
    await say(socket, type="subscribe", instruments=[f"NSE:S{number}" for number in range(501)])
    assert (await hear_until(socket, "error"))["error"]["field"] == "instruments"
    await say(socket, type="ping")
    assert (await hear_until(socket, "pong")) == {"type": "pong"}


async def test_a_huge_frame_closes_the_connection(edge: "Edge"):
    socket = await edge.connect()
    await hear_until(socket, "live")

    await socket.send("x" * 70_000)

    with pytest.raises(ConnectionClosed):
        await hear_until(socket, "never")
    assert socket.close_code == 1009


async def test_a_client_that_does_not_keep_up_is_let_go(edge: "Edge", monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions, "SEND_QUEUE_LIMIT", 0)
    socket = await edge.connect()
    await hear_until(socket, "live")

    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)

    with pytest.raises(ConnectionClosed):
        await hear_until(socket, "never")
    assert socket.close_code == 1013
