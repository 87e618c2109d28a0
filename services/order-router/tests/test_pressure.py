"""New orders wait when events are late or an account's orders pile up; cancelling and getting out go on."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from vyomo_contracts.commands import OrderReply
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


def code_of(reply: OrderReply) -> ReasonCode | None:
    return reply.problem.code if reply.problem is not None else None


async def refused(caller: Caller, **order: Any) -> OrderReply:
    """The first answer that is no order."""
    replies: list[OrderReply] = []

    async def is_refused() -> bool:
        replies.append(await caller.place(**order))
        return replies[-1].order is None

    await eventually(is_refused, interval=0.3)
    return replies[-1]


async def test_late_events_hold_new_orders_back_and_nothing_else(caller: Caller) -> None:
    before = await caller.placed(key="before")
    # A row that nobody gets onto the bus: another router's relay has it, and does not get on.
    await caller.world.rows(
        "UPDATE ledger.leases SET holder = 'another', expires_at = now() + interval '1 hour' WHERE name = 'relay'"
    )

    async def is_late() -> bool:
        # Our own relay may have been at its round, and take one with it.
        await caller.world.rows(
            "INSERT INTO ledger.outbox (broker, partition, created_at) SELECT 'paper', 0, now() - interval '6 seconds' WHERE NOT EXISTS (SELECT FROM ledger.outbox)"
        )
        await asyncio.sleep(0.5)
        return bool(await caller.world.rows("SELECT FROM ledger.outbox"))

    await eventually(is_late)

    reply = await refused(caller)

    assert code_of(reply) is ReasonCode.EVENTS_BEHIND
    assert ReasonCode.EVENTS_BEHIND.http_status == 503
    # A key that was used stands for its order, and an order can be called back.
    replayed = await caller.place(key="before")
    assert (replayed.replayed, replayed.problem) == (True, None)
    cancelled = await caller.cancel(before)
    assert cancelled.order is not None
    assert cancelled.order.state is OrderState.CANCELLED

    await caller.world.rows("DELETE FROM ledger.outbox")

    async def taken() -> bool:
        return (await caller.place()).order is not None

    await eventually(taken)


async def test_account_whose_orders_pile_up_waits_and_its_neighbours_do_not(open_router: OpenRouter) -> None:
    async with open_router(max_waiting_orders=3) as caller:
        await caller.hold(10)
        orders = [await caller.placed() for _ in range(4)]

        reply = await refused(caller)

        assert reply.problem is not None
        assert reply.problem.code is ReasonCode.ORDERS_WAITING
        assert reply.problem.code.http_status == 429
        assert reply.problem.detail is not None
        assert reply.problem.detail["limit"] == 3
        assert (await caller.place(account=caller.world.second_account)).order is not None
        # What gets out of a position has a lane of its own.
        assert (await caller.place(transaction_type="SELL")).order is not None
        assert code_of(await caller.place(transaction_type="SELL", quantity=11)) is ReasonCode.ORDERS_WAITING

        for order in await caller.world.rows("SELECT order_id FROM ledger.broker_orders WHERE state = 'NEW'"):
            await caller.bring_to(await caller.world.stored(order["order_id"]), OrderState.OPEN)

        async def taken() -> bool:
            return (await caller.place()).order is not None

        await eventually(taken)
        assert len(orders) == 4


async def test_order_that_would_expire_in_its_line_is_not_taken(open_router: OpenRouter) -> None:
    async with open_router(market_order_seconds=1.5) as caller:
        await caller.placed()

        reply = await refused(caller, order_type="MARKET", price=0)

        assert code_of(reply) is ReasonCode.ORDERS_WAITING
        # One that lives longer than the line is taken.
        assert (await caller.place()).order is not None
