"""Cancellations and modifications whose answer is lost, late or no: told truthfully, and the order is what the broker says it is."""

import asyncio
from decimal import Decimal

import pytest

from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_service_kit.testing import eventually

BRIEF = SendLimits(total_seconds=1)


async def resting(floor: Floor) -> Order:
    floor.broker.script(Behaviour(fills=()))
    return await floor.until(await floor.place(), OrderState.OPEN)


async def settled(floor: Floor, order: Order, seconds: float = 8) -> Order:
    """Once no change of it is open any more."""

    async def is_settled() -> bool:
        return (await floor.stored(order)).pending_action is None

    await eventually(is_settled, timeout=seconds)
    return await floor.stored(order)


def changes_sent(floor: Floor) -> list[str]:
    return [method for method, _ in floor.broker.calls if method != "POST"]


@pytest.mark.parametrize("placing", ["drop_after", "server_error_after", "truncate", "timed_out_text"])
async def test_cancel_whose_answer_is_lost_is_told_by_the_book(floor: Floor, placing: str) -> None:
    async with floor.working(limits=BRIEF):
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(placing=placing))  # pyright: ignore[reportArgumentType]
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.CANCELLED)

    assert (stored.reason_code, stored.reason) == (ReasonCode.USER_CANCELLED, "changed my mind")
    assert changes_sent(floor) == ["DELETE"]


@pytest.mark.parametrize("placing", ["drop_before", "server_error"])
async def test_cancel_without_a_trace_is_given_up_with_a_reason_and_can_be_asked_again(
    floor: Floor, placing: str
) -> None:
    async with floor.working(limits=BRIEF):
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(placing=placing))  # pyright: ignore[reportArgumentType]
        await floor.ask(order, PendingAction.CANCEL)
        given_up = await settled(floor, order)
        await floor.ask(order, PendingAction.CANCEL)
        await floor.until(order, OrderState.CANCELLED)

    assert (given_up.state, given_up.reason_code) == (OrderState.OPEN, ReasonCode.OUTCOME_UNKNOWN)
    assert given_up.reason == "the broker gave no answer to the cancellation and shows no trace of it"
    assert changes_sent(floor) == ["DELETE"] * 2


async def test_modification_whose_answer_is_lost_is_settled_as_soon_as_the_book_shows_it(
    floor: Floor,
) -> None:
    async with floor.working(limits=SendLimits(total_seconds=7)):
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(placing="drop_after"))
        await floor.ask(order, PendingAction.MODIFY, OrderModification(price=Decimal("251.00")))
        stored = await settled(floor, order, seconds=5)  # its send deadline is eight seconds away

    assert (stored.price, stored.state, stored.reason_code) == (Decimal(251), OrderState.OPEN, None)
    assert changes_sent(floor) == ["PUT"]


async def test_change_that_is_turned_away_for_rate_is_asked_for_again(floor: Floor) -> None:
    async with floor.working(limits=BRIEF):
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(placing="rate_limited"))
        await floor.ask(order, PendingAction.CANCEL)
        await floor.until(order, OrderState.CANCELLED)

    assert changes_sent(floor) == ["DELETE"] * 2


async def test_modification_that_is_refused_says_why_and_changes_nothing(floor: Floor) -> None:
    async with floor.working(limits=BRIEF):
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(placing="refuse"))
        await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))
        stored = await settled(floor, order)

    assert (stored.quantity, stored.state) == (10, OrderState.OPEN)
    assert stored.reason == "InputException: the price is out of range"


async def test_modification_that_meets_a_filled_order_tells_the_fill(floor: Floor) -> None:
    async with floor.working(limits=BRIEF):
        order = await resting(floor)
        floor.broker.orders["B000000001"].fill(10)
        await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))
        stored = await floor.until(order, OrderState.FILLED)

    assert (stored.quantity, stored.filled_quantity, stored.pending_action) == (10, 10, None)


async def test_cancel_overtakes_a_modification_that_hangs(floor: Floor) -> None:
    async with floor.working():
        order = await resting(floor)
        floor.broker.script_changes(Behaviour(delay_seconds=4))
        await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))
        await eventually(lambda: changes_sent(floor) == ["PUT"])
        await floor.ask(order, PendingAction.CANCEL)
        stored = await floor.until(order, OrderState.CANCELLED, seconds=3)

    assert (stored.quantity, stored.reason) == (10, "changed my mind")


async def enlarged_and_filled_behind_the_order_book(floor: Floor) -> Order:
    """The answer to a larger quantity is lost and all of it trades, while the order book still shows the order as it was."""
    order = await resting(floor)
    held = floor.broker.orders["B000000001"]
    floor.broker.script_changes(Behaviour(placing="drop_after"))
    held.book_stands = True
    await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))
    await eventually(lambda: held.quantity == 20)
    held.fill(20)
    floor.broker.script(Behaviour())
    await floor.until(await floor.place(), OrderState.FILLED)  # its fill makes the trade book be read
    return order


async def test_trades_of_a_modification_the_order_book_does_not_show_yet_contradict_nothing(
    floor: Floor,
) -> None:
    async with floor.working(limits=SendLimits(total_seconds=7)):
        order = await enlarged_and_filled_behind_the_order_book(floor)
        await asyncio.sleep(1.5)  # readings that see too many trades
        waiting = await floor.stored(order)
        floor.broker.orders["B000000001"].book_stands = False
        stored = await floor.until(order, OrderState.FILLED)

    assert (waiting.filled_quantity, waiting.pending_action) == (0, PendingAction.MODIFY)
    assert (stored.quantity, stored.filled_quantity, stored.pending_action) == (20, 20, None)
    assert sum(fill["quantity"] for fill in await floor.fills(order)) == 20
    assert await floor.standing_alerts() == []


async def test_order_book_that_never_explains_the_trades_is_told_to_a_person(floor: Floor) -> None:
    impatient = ReconcileLimits(settle_seconds=1.5)
    async with floor.working(limits=SendLimits(total_seconds=1), reconcile=impatient):
        await enlarged_and_filled_behind_the_order_book(floor)

        async def is_told() -> bool:
            return await floor.standing_alerts() == [AlertCode.ORDER_CONTRADICTED]

        await eventually(is_told)
