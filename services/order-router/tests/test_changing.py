import asyncio
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.commands import OrderReply
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, OrderType, PendingAction
from vyomo_ledger.testing import OTHER_USER, USER
from vyomo_ledger.writing import Step
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually


def code_of(reply: OrderReply) -> ReasonCode | None:
    return None if reply.problem is None else reply.problem.code


async def working(caller: Caller, **order: object) -> Order:
    """An order that a broker holds."""
    return await caller.bring_to(await caller.placed(**order), OrderState.OPEN, broker_order_id="B1")


async def test_order_that_no_worker_took_is_cancelled_by_the_router(caller: Caller) -> None:
    order = await caller.placed()

    reply = await caller.cancel(order, reason="changed my mind")

    assert reply.problem is None
    assert reply.order is not None
    assert (reply.order.state, reply.order.reason_code, reply.order.reason) == (
        OrderState.CANCELLED,
        ReasonCode.USER_CANCELLED,
        "changed my mind",
    )
    assert await caller.event_types(order) == ["order.accepted", "order.cancelled"]


async def test_cancellation_of_a_working_order_is_noted_and_the_worker_rung(caller: Caller) -> None:
    order = await working(caller)
    caller.doorbells.clear()

    reply = await caller.cancel(order)

    assert reply.order is not None
    assert (reply.order.state, reply.order.pending_action) == (OrderState.OPEN, PendingAction.CANCEL)
    await eventually(lambda: [bell.account_ids for _, bell in caller.doorbells] == [(order.account_id,)])


async def test_second_cancellation_changes_nothing(caller: Caller) -> None:
    order = await working(caller)
    first = await caller.cancel(order)

    second = await caller.cancel(order)

    assert second == first


async def test_cancellation_overtakes_an_open_modification(caller: Caller) -> None:
    order = await working(caller)
    await caller.modify(order, price="251")

    reply = await caller.cancel(order)

    assert reply.problem is None
    assert reply.order is not None
    assert reply.order.pending_action is PendingAction.CANCEL
    [row] = await caller.world.rows("SELECT pending_stage, pending_parameters FROM ledger.broker_orders")
    assert row["pending_stage"] == "PREPARED"
    assert "251" not in row["pending_parameters"]


@pytest.mark.parametrize("end", [OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED])
async def test_order_that_is_over_can_be_neither_cancelled_nor_modified(
    caller: Caller, end: OrderState
) -> None:
    order = await working(caller)
    fills = {"filled_quantity": 10, "average_price": Decimal(250)} if end is OrderState.FILLED else {}
    order = await caller.bring_to(order, end, **fills)

    cancelled, modified = await caller.cancel(order), await caller.modify(order, price="251")

    assert code_of(cancelled) is code_of(modified) is ReasonCode.ORDER_NOT_PENDING
    assert cancelled.order == modified.order == order
    assert cancelled.problem is not None
    assert cancelled.problem.detail is not None
    assert cancelled.problem.detail["status"] == order.status


async def test_foreign_and_unknown_orders_look_the_same(caller: Caller) -> None:
    order = await caller.placed()
    unknown = order.model_copy(update={"order_id": "PAPER_NOSUCH"})

    for reply in (
        await caller.cancel(order, user=OTHER_USER),
        await caller.modify(order, user=OTHER_USER, price="251"),
        await caller.cancel(unknown),
        await caller.modify(
            order.model_copy(update={"account_id": caller.world.second_account}), price="251"
        ),
    ):
        assert (code_of(reply), reply.order) == (ReasonCode.ORDER_NOT_FOUND, None)
    assert await caller.world.stored(order.order_id) == order


async def test_cancellation_and_claim_in_the_same_moment_agree_on_who_was_first(caller: Caller) -> None:
    orders = [await caller.placed() for _ in range(20)]
    claimed: set[str] = set()

    async def claim() -> None:
        while len(claimed) < len(orders):
            async with caller.world.ledger.transaction() as transaction:
                waiting = await transaction.claim([caller.account], per_account=1)
                update = OrderUpdate(state=OrderState.SUBMITTING, at=caller.world.clock.now())
                transaction.step([Step(order=order, update=update) for order in waiting.orders])
            if not (waiting.orders or waiting.actions):
                return
            claimed.update(order.order_id for order in waiting.orders)
            if waiting.actions and not waiting.orders:
                return

    replies, _ = await asyncio.gather(
        asyncio.gather(*(caller.cancel(order) for order in reversed(orders))), claim()
    )

    for reply in replies:
        assert reply.order is not None
        stored = await caller.world.stored(reply.order.order_id)
        if stored.order_id in claimed:
            assert (stored.state, stored.pending_action) == (OrderState.SUBMITTING, PendingAction.CANCEL)
        else:
            assert stored.state is OrderState.CANCELLED


async def test_order_that_no_worker_took_is_modified_in_place(caller: Caller) -> None:
    order = await caller.placed()

    reply = await caller.modify(order, price="251", quantity=20)

    assert reply.order is not None
    assert (reply.order.state, reply.order.price, reply.order.quantity, reply.order.version) == (
        OrderState.NEW,
        Decimal(251),
        20,
        2,
    )
    assert await caller.world.stored(order.order_id) == reply.order
    assert await caller.event_types(order) == ["order.accepted", "order.modified"]


async def test_modification_of_a_working_order_is_noted_and_the_order_stays_as_it_is(caller: Caller) -> None:
    order = await working(caller)

    reply = await caller.modify(order, price="251")

    assert reply.order is not None
    assert (reply.order.pending_action, reply.order.price) == (PendingAction.MODIFY, order.price)


async def test_second_modification_waits_for_the_first(caller: Caller) -> None:
    order = await working(caller)
    await caller.modify(order, price="251")

    assert code_of(await caller.modify(order, price="252")) is ReasonCode.ACTION_PENDING


async def test_modification_during_a_cancellation_is_refused(caller: Caller) -> None:
    order = await working(caller)
    await caller.cancel(order)

    assert code_of(await caller.modify(order, price="252")) is ReasonCode.ACTION_PENDING


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ReasonCode.NOTHING_TO_MODIFY),
        ({"price": "250.50", "quantity": 10}, ReasonCode.NOTHING_TO_MODIFY),
        ({"price": "251.03"}, ReasonCode.PRICE_OFF_TICK),
        ({"price": "500"}, ReasonCode.PRICE_OUTSIDE_BAND),
        ({"order_type": OrderType.SL}, ReasonCode.TRIGGER_PRICE_REQUIRED),
        ({"order_type": OrderType.SL, "trigger_price": "251"}, ReasonCode.TRIGGER_PRICE_WRONG_SIDE),
        ({"quantity": 5}, ReasonCode.QUANTITY_BELOW_FILLED),
        ({"quantity": 4}, ReasonCode.QUANTITY_BELOW_FILLED),
        ({"quantity": 1_000_000}, ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT),
    ],
)
async def test_modification_must_leave_an_order_that_could_be_placed(
    caller: Caller, changes: dict[str, Any], code: ReasonCode
) -> None:
    order = await caller.bring_to(
        await working(caller),
        OrderState.PARTIALLY_FILLED,
        filled_quantity=5,
        average_price=Decimal("250.50"),
    )

    reply = await caller.modify(order, **changes)

    assert (code_of(reply), reply.order) == (code, order)
    assert await caller.world.stored(order.order_id) == order


async def test_order_of_an_instrument_that_is_gone_cannot_be_modified(caller: Caller) -> None:
    new = caller.world.new(caller.world.order(symbol="DELISTED"))
    await caller.world.ledger.accept([new])

    reply = await caller.modify(new.order, price="251")

    assert code_of(reply) is ReasonCode.UNKNOWN_SYMBOL


async def test_trigger_price_of_a_limit_order_is_nothing_to_modify(caller: Caller) -> None:
    order = await working(caller)

    reply = await caller.modify(order, trigger_price="245")

    assert code_of(reply) is ReasonCode.NOTHING_TO_MODIFY


async def test_working_order_cannot_become_immediate_or_cancel(caller: Caller) -> None:
    order = await working(caller)

    reply = await caller.modify(order, validity="IOC")

    assert code_of(reply) is ReasonCode.VALIDITY_NOT_ALLOWED


async def test_limit_order_that_becomes_a_market_order_has_no_price(caller: Caller) -> None:
    order = await caller.placed()

    reply = await caller.modify(order, order_type="MARKET")

    assert reply.order is not None
    assert (reply.order.order_type, reply.order.price) == (OrderType.MARKET, Decimal(0))


async def test_change_the_database_refuses_fails_alone(caller: Caller) -> None:
    orders = [await caller.placed() for _ in range(3)]

    replies = await caller.cancel_all((orders[0], None), (orders[1], "nul \x00 byte"), (orders[2], None))

    assert [code_of(reply) for reply in replies] == [None, ReasonCode.INTERNAL_ERROR, None]
    assert await caller.world.stored(orders[1].order_id) == orders[1]


async def test_modification_and_new_orders_in_the_same_moment_stay_within_the_limit_together(
    caller: Caller,
) -> None:
    await caller.limit(max_position_quantity=100)
    for _ in range(8):
        order = await caller.placed(quantity=10)

        # Either fits beside the other as it is, both do not.
        replies = await asyncio.gather(
            caller.modify(order, quantity=60), *(caller.place(quantity=50) for _ in range(2))
        )

        [row] = await caller.world.rows(
            "SELECT sum(quantity) AS open FROM ledger.broker_orders WHERE state = 'NEW'"
        )
        assert row["open"] <= 100, [reply.problem for reply in replies]
        waiting = await caller.world.rows("SELECT order_id FROM ledger.broker_orders WHERE state = 'NEW'")
        for each in waiting:
            await caller.bring_to(await caller.world.stored(each["order_id"]), OrderState.CANCELLED)


async def test_cancellations_of_a_list_are_one_commit(caller: Caller) -> None:
    orders = [await caller.placed() for _ in range(30)]
    held, *free = orders
    await caller.bring_to(free[0], OrderState.OPEN)
    foreign = await caller.placed(account=caller.world.foreign_account, user=OTHER_USER)
    asked = [(order, None) for order in (*orders, free[1], foreign.model_copy(update={"user_id": USER}))]

    async def let_go() -> None:
        async with caller.world.ledger.transaction() as transaction:
            await transaction.lock([(held.account_id, held.order_id)])
            await asyncio.sleep(0.3)

    replies, _ = await asyncio.gather(caller.cancel_all(*asked), let_go())

    assert [code_of(reply) for reply in replies[:30]] == [None] * 30
    assert code_of(replies[30]) is ReasonCode.ORDER_NOT_PENDING
    assert code_of(replies[31]) is ReasonCode.ORDER_NOT_FOUND
    working, *cancelled = [await caller.world.stored(order.order_id) for order in free]
    assert working.pending_action is PendingAction.CANCEL
    assert {order.state for order in cancelled} == {OrderState.CANCELLED}
    transactions = await caller.world.rows(
        "SELECT DISTINCT sequence >> 16 AS transaction FROM ledger.order_events"
        " WHERE order_id = ANY($1::text[]) AND type IN ('order.cancelled', 'order.cancel_requested')",
        [order.order_id for order in free],
    )
    assert len(transactions) == 1
