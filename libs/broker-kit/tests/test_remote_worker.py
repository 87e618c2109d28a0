"""The live-shaped path: a worker on a broker that speaks real HTTP, over the real record and bus."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from vyomo_broker_kit.limits import SendLimits
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, OrderState, OrderType, PendingAction
from vyomo_ledger.testing import create_account
from vyomo_ledger.writing import LedgerTransaction, Step
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.testing import eventually


async def test_accepted_order_is_claimed_sent_once_acknowledged_and_filled(floor: Floor) -> None:
    async with floor.working():
        order = await floor.place()
        stored = await floor.until(order, OrderState.FILLED)

    assert stored.broker_order_id == "B000000001"
    assert floor.broker.calls == [("POST", order.broker_tag)]
    assert await floor.event_types(order) == [
        "order.accepted",
        "order.submitting",
        "order.acknowledged",
        "order.filled",
    ]


async def test_market_order_is_filled_at_the_brokers_price(floor: Floor) -> None:
    async with floor.working():
        order = await floor.place(order_type=OrderType.MARKET, price=Decimal(0))
        stored = await floor.until(order, OrderState.FILLED)

    assert (stored.price, stored.average_price) == (Decimal(0), Decimal(100))


async def test_refused_order_is_rejected_with_the_brokers_words(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="refuse"))
    async with floor.working():
        order = await floor.place()
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.BROKER_REFUSED
    assert stored.reason == "InputException: the price is out of range"


@pytest.mark.parametrize("placing", ["drop_after", "truncate", "empty_id", "timed_out_text"])
async def test_lost_answer_is_settled_from_the_book_and_never_sent_again(floor: Floor, placing: str) -> None:
    floor.broker.script(Behaviour(placing=placing))  # pyright: ignore[reportArgumentType]
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)

    assert floor.broker.calls == [("POST", order.broker_tag)]
    assert len(floor.broker.orders_with_tag(order.broker_tag)) == 1
    assert "order.unconfirmed" in await floor.event_types(order)


@pytest.mark.parametrize("placing", ["drop_before", "server_error", "html", "redirect"])
async def test_unknown_outcome_without_evidence_stays_unconfirmed_and_is_not_sent_again(
    floor: Floor, placing: str
) -> None:
    floor.broker.script(Behaviour(placing=placing))  # pyright: ignore[reportArgumentType]
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.UNCONFIRMED)
        later = await floor.place()
        await floor.until(later, OrderState.FILLED)

    assert (await floor.world.stored(order.order_id)).state is OrderState.UNCONFIRMED
    assert floor.broker.calls == [("POST", order.broker_tag), ("POST", later.broker_tag)]


async def test_broker_that_cannot_be_reached_leaves_the_order_new_until_it_returns(floor: Floor) -> None:
    order = None
    async with floor.working(port=9):  # the discard port: nobody listens
        order = await floor.place()

        async def came_back() -> bool:
            return (await floor.event_types(order)).count("order.new") >= 1

        await eventually(came_back, timeout=10)
    async with floor.working():
        await floor.until(order, OrderState.FILLED)

    assert floor.broker.calls == [("POST", order.broker_tag)]


async def test_fills_in_parts_are_recorded_once_each(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=(3, 4, 3)))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)

    rows = await floor.fills(order)
    assert [row["quantity"] for row in rows] == [3, 4, 3]
    assert [row["trade_id"] for row in rows] == [f"B000000001-T00000{number}" for number in (1, 2, 3)]
    assert {row["basis"] for row in rows} == {"trade_book"}


async def test_orders_of_one_account_leave_in_the_order_of_acceptance(floor: Floor) -> None:
    orders = [await floor.place() for _ in range(12)]
    async with floor.working(limits=SendLimits(in_flight_per_account=1)):
        for order in orders:
            await floor.until(order, OrderState.FILLED)

    assert floor.broker.calls == [("POST", order.broker_tag) for order in orders]


async def test_hung_call_does_not_stand_before_a_cancel(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()), Behaviour(delay_seconds=3), Behaviour(delay_seconds=3))
    async with floor.working():
        resting = await floor.place()
        await floor.until(resting, OrderState.OPEN)
        hung = [await floor.place(), await floor.place()]
        for order in hung:
            await floor.until(order, OrderState.SUBMITTING)
        await floor.ask(resting, PendingAction.CANCEL)
        stored = await floor.until(resting, OrderState.CANCELLED, seconds=2)
        still_hung = [(await floor.world.stored(order.order_id)).state for order in hung]

    assert stored.pending_action is None
    assert still_hung == [OrderState.SUBMITTING] * 2


async def test_cancel_that_comes_too_late_tells_the_fill(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        only = floor.broker.orders_with_tag(order.broker_tag)[0]
        only.pending_fills.append(order.quantity)
        floor.broker.refuse_cancels = True
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.FILLED)

    assert stored.pending_action is None
    assert stored.filled_quantity == order.quantity


async def test_modification_changes_the_order_and_keeps_its_fills(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=(4,)))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.PARTIALLY_FILLED)
        await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))

        async def modified() -> bool:
            return (await floor.world.stored(order.order_id)).quantity == 20

        await eventually(modified)
        stored = await floor.world.stored(order.order_id)

    assert (stored.filled_quantity, stored.state) == (4, OrderState.PARTIALLY_FILLED)
    assert "order.modified" in await floor.event_types(order)


async def test_expired_order_is_not_sent(floor: Floor) -> None:
    order = await floor.place(expires_at=floor.world.clock.now() - timedelta(seconds=1))
    async with floor.working():
        other = await floor.place()
        await floor.until(other, OrderState.FILLED)

    assert floor.broker.calls == [("POST", other.broker_tag)]
    assert (await floor.world.stored(order.order_id)).state is OrderState.NEW


async def test_claim_left_behind_by_a_dead_worker_is_never_sent_again(floor: Floor) -> None:
    # What a kill between claim and call leaves: SUBMITTING, nothing at the broker.
    order = await floor.place()
    async with floor.world.ledger.transaction() as transaction:
        claimed = await transaction.claim([floor.account], per_account=1)
        update = OrderUpdate(state=OrderState.SUBMITTING, at=floor.world.clock.now())
        transaction.step([Step(order=claimed.orders[0], update=update)])
    async with floor.working():
        other = await floor.place()
        await floor.until(other, OrderState.FILLED)

    assert floor.broker.calls == [("POST", other.broker_tag)]
    assert (await floor.world.stored(order.order_id)).state is OrderState.SUBMITTING


async def test_cancel_of_an_order_that_could_not_be_sent_ends_it_unsent(floor: Floor) -> None:
    async with floor.working(port=9):  # the discard port: nobody listens
        order = await floor.place()

        async def came_back() -> bool:
            return "order.new" in await floor.event_types(order)

        await eventually(came_back, timeout=10)
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.CANCELLED)

    assert stored.reason == "changed my mind"
    assert floor.broker.calls == []


async def test_cancel_during_placing_waits_for_the_brokers_id(floor: Floor) -> None:
    floor.broker.script(Behaviour(delay_seconds=1, fills=()))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.SUBMITTING)
        await floor.ask(order, PendingAction.CANCEL)
        await floor.until(order, OrderState.CANCELLED)

    assert floor.broker.calls == [("POST", order.broker_tag), ("DELETE", "B000000001")]


async def test_slow_cancel_is_not_given_up_while_its_call_lasts(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    floor.broker.cancel_delay_seconds = 3.5
    async with floor.working(limits=SendLimits(total_seconds=5)):
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.CANCELLED)

    assert stored.reason == "changed my mind"
    assert [call for call, _ in floor.broker.calls] == ["POST", "DELETE"]


async def test_unreachable_broker_is_tried_three_times_not_for_ever(floor: Floor) -> None:
    async with floor.working(port=9):
        order = await floor.place()

        async def tried_three_times() -> bool:
            return (await floor.event_types(order)).count("order.submitting") == 3

        await eventually(tried_three_times, timeout=15)
        await asyncio.sleep(1.5)  # a fourth try would come within the next looks

    assert (await floor.event_types(order)).count("order.submitting") == 3


async def test_outcome_outlives_a_record_that_is_away(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    floor.broker.script(Behaviour(placing="refuse", delay_seconds=0.5))
    locks = 0
    real_lock = LedgerTransaction.lock

    async def failing_lock(self: LedgerTransaction, keys: Any) -> dict[str, Order]:
        nonlocal locks
        locks += 1
        if locks <= 2:
            raise RecordUnavailableError("injected")
        return await real_lock(self, keys)

    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.SUBMITTING)
        monkeypatch.setattr(LedgerTransaction, "lock", failing_lock)
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.BROKER_REFUSED


async def test_full_lane_of_one_account_does_not_starve_another(floor: Floor) -> None:
    other = await create_account(floor.world.database, user_id="asha", client_id="Z2", broker=Broker.ZERODHA)
    floor.broker.script(*[Behaviour(delay_seconds=4)] * 2)
    for _ in range(30):
        await floor.place()
    late = floor.world.order(
        other, broker=Broker.ZERODHA, order_id=floor.world.identifiers.order_id("zerodha")
    )
    async with floor.working():
        await floor.world.ledger.accept([floor.world.new(late)])
        await floor.until(late, OrderState.FILLED, seconds=3.5)


async def test_busy_account_does_not_keep_another_from_being_read(floor: Floor) -> None:
    quiet_account = await create_account(
        floor.world.database, user_id="asha", client_id="Z3", broker=Broker.ZERODHA
    )
    floor.broker.script(Behaviour(fills=()))
    quiet = floor.world.order(
        quiet_account, broker=Broker.ZERODHA, order_id=floor.world.identifiers.order_id("zerodha")
    )
    async with floor.working():
        await floor.world.ledger.accept([floor.world.new(quiet)])
        await floor.until(quiet, OrderState.OPEN)
        floor.broker.orders_with_tag(quiet.broker_tag)[0].pending_fills.append(10)
        for _ in range(8):
            await floor.place()
            await asyncio.sleep(0.25)
        stored = await floor.world.stored(quiet.order_id)

    assert stored.state is OrderState.FILLED
