"""What a trader and a program expect of orders, over the whole system."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.e2e.conftest import System
from tests.e2e.support import far_price, finished, order_body, place, read, until


def test_history_has_every_version_once(api: httpx.Client, account: int) -> None:
    order = place(api, account)
    finished(api, account, order["orderId"])

    events = api.get(f"/api/brokers/accounts/{account}/orders/{order['orderId']}/events").json()["events"]

    assert [event["order"]["version"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "order.accepted"
    assert events[-1]["type"] == "order.filled"


def test_trades_add_up_to_the_order(api: httpx.Client, account: int) -> None:
    order = place(api, account, quantity=7)
    filled = finished(api, account, order["orderId"])

    trades = api.get(f"/api/brokers/accounts/{account}/trades").json()["trades"]

    assert sum(trade["quantity"] for trade in trades) == filled["filledQuantity"] == 7
    value = sum(trade["quantity"] * trade["price"] for trade in trades)
    assert abs(value / 7 - filled["averagePrice"]) < 0.01


def test_same_key_gives_the_same_order(api: httpx.Client, account: int) -> None:
    headers = {"Idempotency-Key": "morning-1"}
    first = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body(), headers=headers)
    finished(api, account, first.json()["order"]["orderId"])

    again = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body(), headers=headers)
    other = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body(quantity=2), headers=headers)

    assert again.status_code == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["order"]["orderId"] == first.json()["order"]["orderId"]
    assert again.json()["order"]["status"] == "COMPLETE"
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(api.get(f"/api/brokers/accounts/{account}/orders").json()["orders"]) == 1


def test_fifty_racing_repeats_of_one_key_make_one_order(system: System, account: int) -> None:
    def post(_: int) -> str:
        with system.client() as client:
            return place(client, account, headers={"Idempotency-Key": "race"})["orderId"]

    with ThreadPoolExecutor(10) as threads:
        order_ids = set(threads.map(post, range(50)))

    assert len(order_ids) == 1


def test_prefer_wait_holds_the_answer_until_the_broker_answered(api: httpx.Client, account: int) -> None:
    answer = api.post(
        f"/api/brokers/accounts/{account}/orders", json=order_body(), headers={"Prefer": "wait=5"}
    )

    assert answer.json()["order"]["status"] == "COMPLETE"


def test_modified_order_keeps_its_id_and_takes_the_new_price(api: httpx.Client, account: int) -> None:
    order = place(api, account, orderType="LIMIT", price=far_price(api))
    until(lambda: read(api, account, order["orderId"])["state"] == "OPEN")
    new_price = far_price(api, percent=4)

    answer = api.patch(
        f"/api/brokers/accounts/{account}/orders/{order['orderId']}", json={"price": new_price, "quantity": 3}
    )

    assert answer.is_success, answer.text
    changed = until(
        lambda: (
            (now := read(api, account, order["orderId"]))["price"] == new_price
            and now["pendingAction"] is None
            and now
        )
    )
    assert changed["quantity"] == 3
    assert changed["state"] == "OPEN"


def test_immediate_or_cancel_that_cannot_trade_is_cancelled(api: httpx.Client, account: int) -> None:
    order = place(api, account, orderType="LIMIT", price=far_price(api), validity="IOC")

    ended = finished(api, account, order["orderId"])

    assert (ended["status"], ended["filledQuantity"]) == ("CANCELLED", 0)
    assert ended["reasonCode"] == "IOC_REMAINDER"


def test_order_beyond_the_margin_is_rejected_with_both_figures(api: httpx.Client) -> None:
    body = {"broker": "paper", "clientId": "small-purse", "initialCapital": 1000}
    account = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]

    order = place(api, account, quantity=100)
    ended = finished(api, account, order["orderId"])

    assert ended["reasonCode"] == "MARGIN_INSUFFICIENT"
    assert "1000" in ended["reason"]


def test_round_trip_leaves_a_flat_position_with_its_profit(api: httpx.Client, account: int) -> None:
    for side in ("BUY", "SELL"):
        finished(api, account, place(api, account, transactionType=side, quantity=5)["orderId"])

    [position] = api.get(f"/api/brokers/accounts/{account}/positions").json()["positions"]
    margins = api.get(f"/api/brokers/accounts/{account}/margins").json()["margins"]

    assert position["quantity"] == 0
    assert position["pnl"] == position["realised"]
    assert margins["used"] == 0


def test_pages_hold_every_order_once(api: httpx.Client, account: int) -> None:
    placed = {place(api, account)["orderId"] for _ in range(7)}

    seen: list[str] = []
    cursor: str | None = None
    while True:
        parameters: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = api.get(f"/api/brokers/accounts/{account}/orders", params=parameters).json()
        seen += [order["orderId"] for order in page["orders"]]
        cursor = page.get("nextCursor")
        if not cursor:
            break

    assert len(seen) == 7
    assert set(seen) == placed
    assert seen == sorted(seen, reverse=True)


def test_account_with_open_orders_stays_on(api: httpx.Client, account: int) -> None:
    order = place(api, account, orderType="LIMIT", price=far_price(api))
    until(lambda: read(api, account, order["orderId"])["state"] == "OPEN")

    refused = api.delete(f"/api/brokers/accounts/{account}")
    api.delete(f"/api/brokers/accounts/{account}/orders/{order['orderId']}")
    switched = api.delete(f"/api/brokers/accounts/{account}")
    inactive = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body())

    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ACCOUNT_HAS_OPEN_ORDERS")
    assert switched.is_success
    assert (inactive.status_code, inactive.json()["error"]["code"]) == (409, "ACCOUNT_INACTIVE")


BAD_ORDERS: list[tuple[dict[str, Any], str, str]] = [
    ({"symbol": "NOSUCH"}, "UNKNOWN_SYMBOL", "symbol"),
    ({"exchange": "MCX"}, "WRONG_EXCHANGE", "exchange"),
    ({"exchange": "NYSE"}, "INVALID_FIELD", "exchange"),
    ({"quantity": 0}, "QUANTITY_NOT_POSITIVE", "quantity"),
    ({"quantity": -5}, "QUANTITY_NOT_POSITIVE", "quantity"),
    ({"quantity": 1.5}, "INVALID_FIELD", "quantity"),
    ({"quantity": "ten"}, "INVALID_FIELD", "quantity"),
    ({"orderType": "LIMIT"}, "PRICE_REQUIRED", "price"),
    ({"orderType": "LIMIT", "price": 1500.07}, "PRICE_OFF_TICK", "price"),
    ({"orderType": "LIMIT", "price": 1}, "PRICE_OUTSIDE_BAND", "price"),
    ({"orderType": "SL", "price": 1500}, "TRIGGER_PRICE_REQUIRED", "triggerPrice"),
    ({"orderType": "SL", "price": 1500, "triggerPrice": 1510}, "TRIGGER_PRICE_WRONG_SIDE", "triggerPrice"),
    ({"product": "NRML"}, "PRODUCT_NOT_ALLOWED", "product"),
    ({"surprise": 1}, "UNKNOWN_FIELD", "surprise"),
]


@pytest.mark.parametrize(("changes", "code", "field"), BAD_ORDERS, ids=[code for _, code, _ in BAD_ORDERS])
def test_bad_order_is_refused_with_its_field_and_leaves_no_trace(
    api: httpx.Client, account: int, changes: dict[str, Any], code: str, field: str
) -> None:
    answer = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body(**changes))

    assert answer.status_code in {400, 422}, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert api.get(f"/api/brokers/accounts/{account}/orders").json()["orders"] == []


def test_contract_rules_hold_on_derivatives(api: httpx.Client, account: int) -> None:
    def first(query: str, kind: str) -> dict[str, Any]:
        answer = api.get("/api/instruments", params={"q": query, "exchange": "NFO"})
        return next(each for each in answer.json()["instruments"] if each["kind"] == kind)

    option = first("NIFTY", "OPTION")["symbol"]
    future = first("NIFTY FUT", "FUTURE")

    def code_of(**changes: Any) -> str:
        body = order_body(exchange="NFO", **{"product": "NRML", "quantity": 65, **changes})
        return api.post(f"/api/brokers/accounts/{account}/orders", json=body).json()["error"]["code"]

    assert code_of(symbol=option, orderType="SL-M", triggerPrice=100) == "ORDER_TYPE_NOT_ALLOWED"
    assert code_of(symbol=future["symbol"], quantity=10) == "QUANTITY_NOT_LOT_MULTIPLE"
    assert code_of(symbol=future["symbol"], product="CNC") == "PRODUCT_NOT_ALLOWED"
    above_freeze = (future["freezeQuantity"] // 65 + 1) * 65
    assert code_of(symbol=future["symbol"], quantity=above_freeze) == "RISK_QUANTITY_ABOVE_FREEZE"


async def test_websocket_tells_an_orders_life_and_resumes_without_a_gap(system: System, account: int) -> None:
    url = system.url.replace("http", "ws") + "/ws"
    headers = {"Authorization": f"Bearer {system.key}"}

    async def orders_until_complete(socket: Any, order_id: str) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        async with asyncio.timeout(10):
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "order" and message["order"]["orderId"] == order_id:
                    heard.append(message)
                    if message["order"]["status"] == "COMPLETE":
                        return heard
        return heard

    def place_one() -> str:
        with system.client() as client:
            return place(client, account)["orderId"]

    async with connect(url, additional_headers=headers) as socket:
        first = await asyncio.to_thread(place_one)
        heard = await orders_until_complete(socket, first)
    cursor = heard[-1]["cursor"]
    missed = await asyncio.to_thread(place_one)
    async with connect(f"{url}?since={cursor}", additional_headers=headers) as socket:
        resumed = await orders_until_complete(socket, missed)

    assert [message["order"]["version"] for message in heard] == [1, 2]
    assert {message["order"]["version"] for message in resumed} == {1, 2}


def test_events_page_through_everything_once(api: httpx.Client, account: int) -> None:
    order_ids = [place(api, account)["orderId"] for _ in range(3)]
    for order_id in order_ids:
        finished(api, account, order_id)

    seen: list[tuple[str, int]] = []
    since = 0
    while True:
        page = api.get("/api/events", params={"since": since, "limit": 4}).json()
        if not page["events"]:
            break
        changes = [event["order"] for event in page["events"] if event["kind"] == "order"]
        seen += [(order["orderId"], order["version"]) for order in changes]
        since = page["nextCursor"]

    assert len(seen) == len(set(seen))
    assert {(order_id, version) for order_id in order_ids for version in (1, 2)} <= set(seen)
