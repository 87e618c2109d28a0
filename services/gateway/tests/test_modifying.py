"""Modifying orders: what the answer says is what became of the order."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, OrderType

if TYPE_CHECKING:
    from conftest import Edge


@asynccontextmanager
async def modifying(edge: "Edge", path: str, changes: dict[str, Any]) -> AsyncGenerator[Callable[[], Any]]:
    """Inside, the broker has been asked for `changes` and the caller waits for its answer."""
    call = asyncio.create_task(edge.client.patch(path, json=changes, headers={"Prefer": "wait=5"}))
    while (await edge.client.get(path)).json()["order"]["pendingAction"] != "MODIFY":
        await asyncio.sleep(0.01)
    yield lambda: call


async def open_order(edge: "Edge", **changes: Any) -> tuple[str, str]:
    """The id of an order that rests at the broker, and its path."""
    order = await edge.place(**changes)
    await edge.behind.step(order["orderId"], OrderState.OPEN)
    return order["orderId"], f"{edge.account}/orders/{order['orderId']}"


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_waiting_for_a_modification_answers_200_with_the_new_values(edge: "Edge"):
    order_id, path = await open_order(edge)

    async with modifying(edge, path, {"price": 251.5}) as answer:
        modified = {"price": Decimal("251.5")}
        await edge.behind.step(order_id, OrderState.OPEN, modified=modified, clears_pending_action=True)
        response = await answer()

    assert response.status_code == 200
    assert response.json()["order"]["price"] == 251.5


async def test_a_modification_the_broker_refused_is_no_success(edge: "Edge"):
    order_id, path = await open_order(edge)

    async with modifying(edge, path, {"quantity": 5000}) as answer:
        await edge.behind.step(
            order_id,
            OrderState.OPEN,
            clears_pending_action=True,
            reason_code=ReasonCode.MARGIN_INSUFFICIENT,
            reason="it needs 9 lakh",
        )
        response = await answer()

    assert refusal(response) == (422, "MARGIN_INSUFFICIENT")
    assert "it needs 9 lakh" in response.json()["error"]["message"]
    assert (response.json()["order"]["status"], response.json()["order"]["quantity"]) == ("PENDING", 10)


async def test_a_modification_that_lost_the_race_says_what_happened(edge: "Edge"):
    order_id, path = await open_order(edge)

    async with modifying(edge, path, {"price": 251.5}) as answer:
        await edge.behind.fill(order_id, 10, "250")
        response = await answer()

    assert refusal(response) == (409, "ORDER_NOT_PENDING")
    assert "was filled completely before the modification" in response.json()["error"]["message"]


async def test_an_order_that_was_modified_and_then_filled_is_a_success(edge: "Edge"):
    order_id, path = await open_order(edge)

    async with modifying(edge, path, {"orderType": "MARKET", "price": 251}) as answer:
        await edge.behind.step(
            order_id,
            OrderState.FILLED,
            filled_quantity=10,
            average_price=Decimal(252),
            modified={"order_type": OrderType.MARKET, "price": Decimal(0)},
            clears_pending_action=True,
        )
        response = await answer()

    assert response.status_code == 200
    assert (response.json()["order"]["status"], response.json()["order"]["price"]) == ("COMPLETE", 0)
    assert response.json()["warnings"] == ["price does not apply to MARKET orders and was ignored"]


async def test_a_cancellation_that_overtakes_a_modification_is_told(edge: "Edge"):
    _, path = await open_order(edge)

    async with modifying(edge, path, {"price": 251.5}) as answer:
        cancelling = asyncio.create_task(edge.client.delete(path))
        response = await answer()

    assert refusal(response) == (409, "ACTION_PENDING")
    assert (await cancelling).json()["code"] == "CANCEL_UNCONFIRMED"


async def test_what_does_not_apply_to_the_order_is_named_in_warnings(edge: "Edge"):
    _, path = await open_order(edge)

    response = await edge.client.patch(path, json={"price": 251.5, "triggerPrice": 249})

    assert response.status_code == 202
    assert response.json()["warnings"] == ["triggerPrice does not apply to LIMIT orders and was ignored"]
