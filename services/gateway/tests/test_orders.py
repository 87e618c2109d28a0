"""Idempotency, waiting, cancelling, modifying, paging."""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState

if TYPE_CHECKING:
    from conftest import Edge


async def test_the_same_key_and_body_give_the_same_order(edge: "Edge"):
    headers = {"Idempotency-Key": "signal-42"}
    path = f"{edge.account}/orders"

    first = await edge.client.post(path, json=edge.order_body(price=250.5), headers=headers)
    again = await edge.client.post(
        path,
        content=b'{"symbol":"NIFTY","exchange":"NSE","transactionType":"BUY","orderType":"LIMIT","quantity":10,'
        b'"price":250.50,"product":"MIS"}',
        headers=headers | {"Content-Type": "application/json"},
    )

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["order"]["orderId"] == again.json()["order"]["orderId"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == "signal-42"


async def test_the_same_key_with_another_body_is_refused(edge: "Edge"):
    headers = {"Idempotency-Key": "signal-42"}
    await edge.client.post(f"{edge.account}/orders", json=edge.order_body(), headers=headers)

    response = await edge.client.post(
        f"{edge.account}/orders", json=edge.order_body(quantity=20), headers=headers
    )

    assert response.status_code == 422
    assert response.json()["error"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert response.headers["idempotency-key"] == "signal-42"


async def test_a_missing_key_is_made_and_a_bad_one_refused(edge: "Edge"):
    made = await edge.client.post(f"{edge.account}/orders", json=edge.order_body())
    assert made.headers["idempotency-key"] == edge.behind.placed[0].idempotency_key

    for key in ("", "with space", "x" * 65, "\xe9"):
        response = await edge.client.post(
            f"{edge.account}/orders",
            json=edge.order_body(),
            headers=[
                (b"Idempotency-Key", key.encode("latin-1")),
                (b"Authorization", f"Bearer {edge.key}".encode()),
            ],
        )
        assert response.status_code == 422, key
        assert response.json()["error"]["code"] == "IDEMPOTENCY_KEY_INVALID"


async def test_a_denied_order_is_422_and_names_the_recorded_order(edge: "Edge"):
    edge.behind.deny = True

    response = await edge.client.post(f"{edge.account}/orders", json=edge.order_body())

    answer = response.json()
    assert response.status_code == 422
    assert answer["error"]["code"] == "RISK_QUANTITY_ABOVE_FREEZE"
    assert answer["order"]["status"] == "REJECTED"
    assert (await edge.world.stored(answer["order"]["orderId"])).state is OrderState.DENIED


async def test_waiting_holds_the_answer_until_the_broker_has_answered(edge: "Edge"):
    waiting = asyncio.create_task(
        edge.client.post(
            f"{edge.account}/orders", json=edge.order_body(), headers={"Prefer": "wait=5, respond-async"}
        )
    )
    while not (rows := await edge.world.rows("SELECT order_id FROM ledger.broker_orders")):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    await edge.behind.fill(rows[0]["order_id"], 10, "250")

    response = await waiting

    assert response.status_code == 200
    assert response.headers["preference-applied"] == "wait=5"
    assert response.json()["order"]["state"] == "FILLED"


async def test_waiting_in_vain_answers_202_with_the_newest_snapshot(edge: "Edge"):
    response = await edge.client.post(
        f"{edge.account}/orders", json=edge.order_body(), headers={"Prefer": "wait=1"}
    )

    assert response.status_code == 202
    assert response.json()["order"]["state"] == "NEW"


async def test_a_cancellation_is_answered_when_the_broker_confirms_it(edge: "Edge"):
    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)
    path = f"{edge.account}/orders/{order['orderId']}"

    cancelling = asyncio.create_task(edge.client.delete(path))
    while (await edge.client.get(path)).json()["order"]["pendingAction"] != "CANCEL":
        await asyncio.sleep(0.01)
    assert not cancelling.done()
    await edge.behind.step(order["orderId"], OrderState.CANCELLED)

    assert (await cancelling).json() == {"success": True, "message": "Order cancelled successfully"}


async def test_a_cancellation_that_lost_the_race_says_what_happened(edge: "Edge"):
    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)
    path = f"{edge.account}/orders/{order['orderId']}"

    cancelling = asyncio.create_task(edge.client.delete(path))
    while (await edge.client.get(path)).json()["order"]["pendingAction"] != "CANCEL":
        await asyncio.sleep(0.01)
    await edge.behind.fill(order["orderId"], 10, "250")
    response = await cancelling

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "ORDER_NOT_PENDING"
    assert "filled" in response.json()["error"]["message"]
    assert response.json()["error"]["detail"]["status"] == "COMPLETE"


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (ReasonCode.BROKER_REFUSED, 422, "the broker refused to cancel"),
        (ReasonCode.BROKER_UNREACHABLE, 503, "the broker could not be reached to cancel"),
    ],
)
async def test_a_cancellation_that_came_to_nothing_says_why(
    edge: "Edge", code: ReasonCode, status: int, words: str
):
    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)
    path = f"{edge.account}/orders/{order['orderId']}"

    cancelling = asyncio.create_task(edge.client.delete(path))
    while (await edge.client.get(path)).json()["order"]["pendingAction"] != "CANCEL":
        await asyncio.sleep(0.01)
    await edge.behind.step(
        order["orderId"], OrderState.OPEN, reason_code=code, reason="why", clears_pending_action=True
    )
    response = await cancelling

    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert words in error["message"]
    assert error["detail"] == {"orderId": order["orderId"], "status": "PENDING"}


async def test_a_cancellation_nobody_confirms_is_told_as_such_after_five_seconds(edge: "Edge"):
    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)

    started = asyncio.get_running_loop().time()
    response = await edge.client.delete(f"{edge.account}/orders/{order['orderId']}")

    assert response.status_code == 202
    answer = response.json()
    assert (answer["success"], answer["code"]) == (True, "CANCEL_UNCONFIRMED")
    assert "NOT confirmed" in answer["message"]
    assert (answer["order"]["status"], answer["order"]["pendingAction"]) == ("PENDING", "CANCEL")
    assert asyncio.get_running_loop().time() - started < 6


async def test_cancelling_a_complete_order_is_a_conflict(edge: "Edge"):
    order = await edge.place()
    await edge.behind.fill(order["orderId"], 10, "250")

    response = await edge.client.delete(f"{edge.account}/orders/{order['orderId']}")

    assert response.status_code == 409
    assert response.json()["error"]["code"] == "ORDER_NOT_PENDING"


async def test_a_modification_is_202_until_the_broker_has_answered(edge: "Edge"):
    order = await edge.place()
    await edge.behind.step(order["orderId"], OrderState.OPEN)
    path = f"{edge.account}/orders/{order['orderId']}"

    asked = await edge.client.patch(path, json={"price": 251.5})
    await edge.behind.step(
        order["orderId"], OrderState.OPEN, modified={"price": Decimal("251.5")}, clears_pending_action=True
    )

    assert asked.status_code == 202
    assert asked.json()["order"]["pendingAction"] == "MODIFY"
    assert (await edge.client.get(path)).json()["order"]["price"] == 251.5


async def test_the_order_book_is_paged_newest_first(edge: "Edge"):
    placed = [(await edge.place())["orderId"] for _ in range(5)]

    pages: list[list[str]] = []
    query = "?limit=2"
    while True:
        answer = (await edge.client.get(f"{edge.account}/orders{query}")).json()
        pages.append([order["orderId"] for order in answer["orders"]])
        if "nextCursor" not in answer:
            break
        query = f"?limit=2&cursor={answer['nextCursor']}"

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [order_id for page in pages for order_id in page] == placed[::-1]


async def test_an_order_reads_the_same_alone_and_in_the_book(edge: "Edge"):
    order = await edge.place(orderType="SL", triggerPrice=250, tag="mine", strategyId="s", groupId="g")
    await edge.behind.step(order["orderId"], OrderState.TRIGGER_PENDING, broker_order_id="B1")

    alone = (await edge.client.get(f"{edge.account}/orders/{order['orderId']}")).json()["order"]
    (in_book,) = (await edge.client.get(f"{edge.account}/orders")).json()["orders"]

    assert alone == in_book
    assert (alone["status"], alone["state"], alone["brokerOrderId"]) == ("PENDING", "TRIGGER_PENDING", "B1")


async def test_accounts_are_paged(edge: "Edge"):
    first = (await edge.client.get("/api/brokers/accounts?limit=1")).json()
    second = (await edge.client.get(f"/api/brokers/accounts?limit=1&cursor={first['nextCursor']}")).json()

    assert [first["accounts"][0]["clientId"], second["accounts"][0]["clientId"]] == ["A1", "A2"]
    assert "nextCursor" not in second


async def test_an_order_has_a_history_and_trades(edge: "Edge"):
    order = await edge.place()
    await edge.behind.fill(order["orderId"], 10, "250.25")

    history = (await edge.client.get(f"{edge.account}/orders/{order['orderId']}/events")).json()["events"]
    trades = (await edge.client.get(f"{edge.account}/trades")).json()

    assert [event["type"] for event in history] == ["order.accepted", "order.filled"]
    assert [event["order"]["version"] for event in history] == [1, 2]
    assert trades["success"] is True


async def test_orders_of_many_clients_share_messages_and_each_gets_its_own(edge: "Edge"):
    bodies = [edge.order_body(quantity=quantity) for quantity in range(1, 41)]

    responses = await asyncio.gather(
        *(edge.client.post(f"{edge.account}/orders", json=body) for body in bodies)
    )

    assert [response.json()["order"]["quantity"] for response in responses] == list(range(1, 41))


async def test_one_refused_order_leaves_its_neighbours_alone(edge: "Edge"):
    paths = [edge.account, edge.foreign_account] * 5

    responses = await asyncio.gather(
        *(edge.client.post(f"{path}/orders", json=edge.order_body()) for path in paths)
    )

    assert [response.status_code for response in responses] == [202, 404] * 5


async def test_events_are_told_once_each_by_following_the_cursor(edge: "Edge"):
    orders = [await edge.place() for _ in range(3)]
    await edge.behind.fill(orders[0]["orderId"], 10, "250")

    seen: list[tuple[str, int]] = []
    cursor = 0
    for _ in range(4):
        answer = (await edge.client.get(f"/api/events?since={cursor}&limit=3")).json()
        seen += [(event["order"]["orderId"], event["order"]["version"]) for event in answer["events"]]
        cursor = answer["nextCursor"]

    assert len(seen) == 4
    assert len(set(seen)) == 4
    others = await edge.client.get("/api/events", headers={"Authorization": f"Bearer {edge.other_key}"})
    assert others.json()["events"] == []
