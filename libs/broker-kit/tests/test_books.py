"""What the broker's books teach: real trades in the place of inferred fills, and orders placed elsewhere (F16, engines.md A.2)."""

import asyncio
from typing import Any

from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.testing import Behaviour, FaultMix
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.events import OrderChanged
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, Origin, PendingAction
from vyomo_service_kit.testing import eventually

OFTEN = ReconcileLimits(idle_seconds=0.5)


async def adopted(floor: Floor) -> list[dict[str, Any]]:
    return await floor.world.rows(
        "SELECT order_id, broker_order_id, state, filled_quantity, origin, version FROM ledger.broker_orders"
        " WHERE origin <> 'vyomo' ORDER BY id"
    )


async def test_fills_are_inferred_while_the_trade_book_is_away_and_replaced_when_it_is_back(
    floor: Floor,
) -> None:
    floor.broker.failing_reads["trades"] = 2
    floor.broker.script(Behaviour(fills=(4, 6)))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)
        inferred = await floor.fills(order)

        async def is_replaced() -> bool:
            return {fill["basis"] for fill in await floor.fills(order)} == {"trade_book"}

        await eventually(is_replaced, timeout=10)

    assert "derived" in {fill["basis"] for fill in inferred}
    assert sum(fill["quantity"] for fill in inferred) == 10
    assert [fill["quantity"] for fill in await floor.fills(order)] == [4, 6]
    told = [
        event
        for envelope in floor.world.heard
        for event in envelope.items
        if isinstance(event, OrderChanged) and event.superseded_fills
    ]
    assert {trade_id for event in told for trade_id in event.superseded_fills or ()} == {
        fill["trade_id"] for fill in inferred if fill["basis"] == "derived"
    }


async def test_worker_that_starts_again_replaces_what_the_last_one_inferred(floor: Floor) -> None:
    floor.broker.failing_reads["trades"] = 1000
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)
    floor.broker.failing_reads["trades"] = 0
    async with floor.working(reconcile=OFTEN):

        async def is_replaced() -> bool:
            return [fill["trade_id"] for fill in await floor.fills(order)] == ["B000000001-T000001"]

        await eventually(is_replaced)


async def test_trade_book_that_is_ahead_fills_the_order(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        only = floor.broker.orders["B000000001"]
        only.fill(4)
        await floor.until(order, OrderState.PARTIALLY_FILLED)
        only.book_stands = True
        only.fill(6)
        floor.broker.script(Behaviour())
        await floor.place()  # its fill makes the trade book worth reading
        stored = await floor.until(order, OrderState.FILLED)

    assert sum(fill["quantity"] for fill in await floor.fills(order)) == stored.filled_quantity == 10


async def test_order_placed_elsewhere_is_adopted_and_followed_to_its_end(floor: Floor) -> None:
    elsewhere = floor.broker.place_elsewhere(floor.account, symbol="TCS", quantity=5, fills=())
    async with floor.working(reconcile=OFTEN):

        async def is_adopted() -> bool:
            return [row["state"] for row in await adopted(floor)] == ["OPEN"]

        await eventually(is_adopted)
        elsewhere.fill(2)
        elsewhere.fill(3)

        async def is_filled() -> bool:
            return [row["state"] for row in await adopted(floor)] == ["FILLED"]

        await eventually(is_filled)
    async with floor.working(reconcile=OFTEN):
        await asyncio.sleep(1)

    (row,) = await adopted(floor)
    assert (row["origin"], row["broker_order_id"]) == ("external", elsewhere.order_id)
    order = await floor.world.stored(row["order_id"])
    assert (order.symbol, order.origin, order.user_id) == ("TCS", Origin.EXTERNAL, "asha")
    assert [fill["quantity"] for fill in await floor.fills(order)] == [2, 3]
    assert (await floor.event_types(order))[0] == "order.adopted"
    assert floor.broker.calls == []


async def test_orders_finished_elsewhere_are_adopted_with_their_fills_once(floor: Floor) -> None:
    for number in range(3):
        floor.broker.place_elsewhere(floor.account, symbol="TCS", quantity=number + 1)
    for _ in range(2):
        async with floor.working(reconcile=OFTEN):

            async def are_filled() -> bool:
                rows = await adopted(floor)
                return [(row["state"], row["filled_quantity"]) for row in rows] == [
                    ("FILLED", 1),
                    ("FILLED", 2),
                    ("FILLED", 3),
                ]

            await eventually(are_filled)
            await asyncio.sleep(0.7)

    fills = await floor.world.rows("SELECT trade_id, quantity, basis FROM ledger.fills ORDER BY quantity")
    assert [(fill["quantity"], fill["basis"]) for fill in fills] == [
        (1, "trade_book"),
        (2, "trade_book"),
        (3, "trade_book"),
    ]
    assert await floor.standing_alerts() == []


async def test_order_placed_elsewhere_is_cancelled_only_when_told_by_its_id(floor: Floor) -> None:
    floor.broker.place_elsewhere(floor.account, symbol="TCS", quantity=5, fills=())
    async with floor.working(reconcile=OFTEN):

        async def is_adopted() -> bool:
            return len(await adopted(floor)) == 1

        await eventually(is_adopted)
        calls_before = list(floor.broker.calls)
        order = await floor.world.stored((await adopted(floor))[0]["order_id"])
        await floor.ask(order, PendingAction.CANCEL)
        await floor.until(order, OrderState.CANCELLED)

    assert calls_before == []
    assert floor.broker.calls == [("DELETE", order.broker_order_id)]


async def test_faults_of_every_kind_end_with_one_order_at_most_and_fills_that_add_up(floor: Floor) -> None:
    """A small fault run: the broker misbehaves by seed, its books lag, and everything ends where the broker says it ended."""
    floor.broker.mix = FaultMix(seed=20260101)
    floor.broker.book_lag_seconds = 0.2
    async with floor.working(reconcile=ReconcileLimits(settle_seconds=8)):
        orders = [await floor.place() for _ in range(40)]
        for order in orders:
            await floor.until(order, OrderState.FILLED, OrderState.REJECTED, OrderState.OPEN, seconds=30)

        async def is_explained_by_trades() -> bool:
            return await floor.world.rows("SELECT 1 FROM ledger.fills WHERE basis = 'derived'") == []

        await eventually(is_explained_by_trades, timeout=20)

    for order in orders:
        stored = await floor.stored(order)
        held = floor.broker.orders_with_tag(order.broker_tag)
        assert len(held) == (stored.broker_order_id is not None) <= 1
        assert sum(each.filled for each in held) == stored.filled_quantity
        assert sum(fill["quantity"] for fill in await floor.fills(order)) == stored.filled_quantity
    sent = [key for method, key in floor.broker.calls if method == "POST"]
    assert len(sent) == len(set(sent))
    assert await floor.standing_alerts() == []


async def test_fill_that_is_seen_before_the_answer_is_recorded_once(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()), Behaviour(answer_delay_seconds=2.5))
    async with floor.working():
        resting = await floor.place()
        await floor.until(resting, OrderState.OPEN)  # it makes the book be read every second
        order = await floor.place()
        filled = await floor.until(order, OrderState.FILLED, seconds=2.4)
        await asyncio.sleep(2)
        stored = await floor.stored(order)

    assert stored.version == filled.version
    assert await floor.event_types(order) == ["order.accepted", "order.submitting", "order.filled"]
    assert [fill["quantity"] for fill in await floor.fills(order)] == [10]


async def test_stranger_that_looks_like_an_order_of_unknown_outcome_is_adopted_only_when_that_is_settled(
    floor: Floor,
) -> None:
    floor.broker.script(Behaviour(placing="drop_before"))
    quick = ReconcileLimits(settle_seconds=2.4, idle_seconds=0.5)
    async with floor.working(limits=SendLimits(total_seconds=0.5), reconcile=quick):
        order = await floor.place()
        await floor.until(order, OrderState.UNCONFIRMED)
        floor.broker.place_elsewhere(
            floor.account, symbol=order.symbol, quantity=order.quantity, price=str(order.price)
        )
        floor.broker.place_elsewhere(floor.account, symbol="TCS", quantity=3)

        async def other_is_adopted() -> bool:
            return len(await adopted(floor)) == 1

        await eventually(other_is_adopted)
        while_unknown = [row["broker_order_id"] for row in await adopted(floor)]
        state = (await floor.stored(order)).state
        await floor.until(order, OrderState.REJECTED)

        async def both_are_adopted() -> bool:
            return len(await adopted(floor)) == 2

        await eventually(both_are_adopted)

    assert state is OrderState.UNCONFIRMED
    assert while_unknown == ["B000000002"]
    assert {row["origin"] for row in await adopted(floor)} == {"external"}


async def test_answer_that_outlives_its_order_takes_it_up_again_with_an_alert(floor: Floor) -> None:
    """A worker that slept through the settle time and wakes with the broker's answer in its hands (F12)."""
    floor.broker.script(Behaviour(answer_delay_seconds=4, book_lag_seconds=30, fills=()))
    quick = ReconcileLimits(settle_seconds=1.2)
    async with floor.working(limits=SendLimits(total_seconds=6)):
        order = await floor.place()
        await floor.until(order, OrderState.SUBMITTING)
        async with floor.world.database.connection() as connection:
            await connection.execute("UPDATE ledger.broker_orders SET send_deadline = now()")
        async with floor.working(reconcile=quick):
            given_up = await floor.until(order, OrderState.REJECTED)
            stored = await floor.until(order, OrderState.ACKNOWLEDGED)

    assert given_up.reason_code is ReasonCode.NOT_FOUND_AT_BROKER
    assert stored.broker_order_id == "B000000001"
    assert await floor.standing_alerts() == [AlertCode.ORDER_REAPPEARED]
    assert floor.broker.calls == [("POST", order.broker_tag)]
