"""Orders of unknown outcome: found by tag in the book, or given up only when absence is proof; never sent again (F9-F13)."""

import asyncio
from datetime import timedelta

import pytest

from vyomo_broker_kit.limits import ReconcileLimits, SendLimits, is_read_due
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, OrderState, PendingAction, TransactionType
from vyomo_ledger.writing import AccountClosed, Step
from vyomo_service_kit.testing import eventually

QUICK = ReconcileLimits(read_gap_seconds=0.02, settle_seconds=2.4)
BRIEF = SendLimits(total_seconds=0.5)


async def left_behind(floor: Floor, *, seconds_ago: float) -> Order:
    """What a worker leaves that was killed between claim and outcome."""
    order = await floor.place()
    async with floor.world.ledger.transaction() as transaction:
        claimed = await transaction.claim([floor.account], per_account=1)
        now = floor.world.clock.now()
        update = OrderUpdate(state=OrderState.SUBMITTING, at=now)
        deadline = now - timedelta(seconds=seconds_ago)
        transaction.step([Step(order=claimed.orders[0], update=update, send_deadline=deadline)])
    return order


def at_the_broker(floor: Floor, order: Order, **changes: object) -> None:
    body = {"tag": order.broker_tag, "symbol": order.symbol, "side": order.transaction_type}
    body |= {"quantity": order.quantity, "price": str(order.price)}
    floor.broker.place_elsewhere(floor.account, **{**body, **changes})  # pyright: ignore[reportArgumentType]


async def test_claim_of_a_dead_worker_becomes_unknown_at_its_deadline_and_is_found_by_tag(
    floor: Floor,
) -> None:
    order = await left_behind(floor, seconds_ago=-1)
    at_the_broker(floor, order)
    floor.broker.failing_reads["orders"] = 4
    async with floor.working(reconcile=QUICK):
        await floor.until(order, OrderState.UNCONFIRMED)
        stored = await floor.until(order, OrderState.FILLED)

    assert stored.broker_order_id == "B000000001"
    assert (stored.reason_code, stored.reason) == (None, None)
    assert floor.broker.calls == []


async def test_claim_that_was_never_sent_is_given_up_after_settle_time_and_good_reads(floor: Floor) -> None:
    order = await left_behind(floor, seconds_ago=0)
    began = floor.world.clock.elapsed()
    async with floor.working(reconcile=QUICK):
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.NOT_FOUND_AT_BROKER
    assert floor.world.clock.elapsed() - began >= QUICK.settle_seconds
    assert floor.reads_of("orders") >= QUICK.good_reads
    assert floor.reads_of("trades") >= 1
    assert floor.broker.calls == []


async def test_absence_is_not_believed_while_the_book_cannot_be_read(floor: Floor) -> None:
    order = await left_behind(floor, seconds_ago=600)
    floor.broker.failing_reads["orders"] = 1000
    async with floor.working(reconcile=QUICK):
        await floor.until(order, OrderState.UNCONFIRMED)
        await asyncio.sleep(2)
        still = await floor.stored(order)
        floor.broker.failing_reads["orders"] = 0
        await floor.until(order, OrderState.REJECTED)

    assert still.state is OrderState.UNCONFIRMED
    assert floor.reads_of("orders") >= QUICK.good_reads


async def test_trade_that_no_order_explains_speaks_against_absence(floor: Floor) -> None:
    order = await left_behind(floor, seconds_ago=600)
    at_the_broker(floor, order, fills=[])
    hidden = floor.broker.orders["B000000001"]
    hidden.fill(order.quantity)
    hidden.visible_at = float("inf")  # the book of orders lags, that of trades does not
    async with floor.working(reconcile=QUICK):
        await floor.until(order, OrderState.UNCONFIRMED)
        await asyncio.sleep(3)
        still = await floor.stored(order)
        hidden.visible_at = 0
        stored = await floor.until(order, OrderState.FILLED)

    assert still.state is OrderState.UNCONFIRMED
    assert stored.filled_quantity == order.quantity


@pytest.mark.parametrize(
    "other", [{"symbol": "TCS"}, {"side": TransactionType.SELL}, {"quantity": 11}], ids=str
)
async def test_row_with_our_tag_that_is_not_what_we_sent_is_not_our_order(
    floor: Floor, other: dict[str, object]
) -> None:
    order = await left_behind(floor, seconds_ago=600)
    at_the_broker(floor, order, **other)
    async with floor.working(reconcile=QUICK):
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.NOT_FOUND_AT_BROKER
    assert await floor.standing_alerts() == [AlertCode.TAG_MISMATCH]


async def test_order_that_appears_after_it_was_given_up_is_taken_up_again_with_an_alert(floor: Floor) -> None:
    order = await left_behind(floor, seconds_ago=600)
    async with floor.working(reconcile=ReconcileLimits(settle_seconds=2.4, idle_seconds=0.5)):
        await floor.until(order, OrderState.REJECTED)
        at_the_broker(floor, order)
        stored = await floor.until(order, OrderState.FILLED)
        await eventually(lambda: bool(floor.heard_alerts()))

    assert stored.filled_quantity == sum(fill["quantity"] for fill in await floor.fills(order))
    assert [alert.code for alert in floor.heard_alerts()] == [AlertCode.ORDER_REAPPEARED]
    assert await floor.standing_alerts() == [AlertCode.ORDER_REAPPEARED]


async def test_two_orders_of_one_tag_close_the_account_and_both_are_recorded(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="drop_after", copies=2))
    async with floor.working(reconcile=QUICK):
        order = await floor.place()
        stored = await floor.until(order, OrderState.FILLED)
        await eventually(lambda: bool(floor.heard_alerts()))
        refused = floor.world.order(floor.account, broker=Broker.ZERODHA)
        answer = (await floor.world.ledger.accept([floor.world.new(refused)]))[0]

        async def adopted() -> bool:
            rows = await floor.world.rows(
                "SELECT broker_order_id, state FROM ledger.broker_orders WHERE origin = 'reconciliation'"
            )
            return [(row["broker_order_id"], row["state"]) for row in rows] == [("B000000002", "FILLED")]

        await eventually(adopted)

    assert stored.broker_order_id == "B000000001"
    assert [alert.code for alert in floor.heard_alerts()] == [AlertCode.TAG_USED_TWICE]
    assert answer == AccountClosed()
    assert floor.broker.calls == [("POST", order.broker_tag)]


async def test_person_who_opens_the_account_again_is_not_overruled_by_the_next_reading(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="drop_after", copies=2))
    async with floor.working(reconcile=ReconcileLimits(idle_seconds=0.5)):
        await floor.until(await floor.place(), OrderState.FILLED)
        await eventually(lambda: bool(floor.heard_alerts()))
    async with floor.world.database.connection() as connection:
        await connection.execute("UPDATE ledger.lanes SET accepting = true")
    async with floor.working(reconcile=ReconcileLimits(idle_seconds=0.5)):
        later = await floor.place()
        await floor.until(later, OrderState.FILLED)

    assert await floor.standing_alerts() == [AlertCode.TAG_USED_TWICE]


async def test_order_called_timed_out_is_found_when_it_appears(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="timed_out_text", appears_after_seconds=1.5))
    async with floor.working(reconcile=ReconcileLimits(settle_seconds=8)):
        order = await floor.place()
        await floor.until(order, OrderState.UNCONFIRMED)
        await floor.until(order, OrderState.FILLED)

    assert floor.broker.calls == [("POST", order.broker_tag)]


async def test_order_turned_away_for_rate_is_refused_after_one_reading_and_not_sent_again(
    floor: Floor,
) -> None:
    floor.broker.script(Behaviour(placing="rate_limited"))
    async with floor.working():  # two minutes of settle time: this does not wait for it
        order = await floor.place()
        stored = await floor.until(order, OrderState.REJECTED, seconds=5)

    assert (stored.reason_code, stored.reason) == (ReasonCode.RATE_LIMITED, "too many requests")
    assert "order.unconfirmed" in await floor.event_types(order)
    assert floor.broker.calls == [("POST", order.broker_tag)]


async def test_mute_broker_costs_one_call_and_no_second_one(floor: Floor) -> None:
    floor.broker.go_mute()
    async with floor.working(limits=BRIEF, reconcile=QUICK):
        order = await floor.place()
        await floor.until(order, OrderState.UNCONFIRMED)
        await asyncio.sleep(1.5)
        floor.broker.speak()
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.NOT_FOUND_AT_BROKER
    assert floor.broker.calls == [("POST", order.broker_tag)]


async def test_one_reading_serves_all_unknown_orders_of_an_account(floor: Floor) -> None:
    orders = [await left_behind(floor, seconds_ago=0) for _ in range(6)]
    async with floor.working(reconcile=QUICK):
        for order in orders:
            await floor.until(order, OrderState.REJECTED)

    # Eight points of the schedule and the start; per order it would be six times as many.
    assert floor.reads_of("orders") <= 14


async def test_cancel_of_an_unknown_order_waits_until_it_is_known_and_then_goes_out(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="timed_out_text", appears_after_seconds=1, fills=()))
    async with floor.working(reconcile=ReconcileLimits(settle_seconds=8)):
        order = await floor.place()
        await floor.until(order, OrderState.UNCONFIRMED)
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.CANCELLED)

    assert stored.reason == "changed my mind"
    assert [method for method, _ in floor.broker.calls] == ["POST", "DELETE"]


def test_book_is_read_at_the_points_of_the_schedule_and_not_between() -> None:
    read_at = [0.0]
    for quarter in range(1, 4 * 140):
        age = quarter / 4
        if is_read_due(age, read_at[-1], 120):
            read_at.append(age)

    assert read_at == [0, 1, 3, 8, 15, 30, 60, 90, 120, 125, 130, 135]
