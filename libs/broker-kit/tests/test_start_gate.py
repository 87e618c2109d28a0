"""A worker that starts sends nothing for an account before it knows what the broker holds (fail closed)."""

import asyncio

import pytest

from vyomo_broker_kit import start_gate
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.start_gate import Books
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_service_kit.testing import eventually

ALL = frozenset(Books)


@pytest.mark.parametrize("unread", ["orders", "positions"])
async def test_nothing_is_claimed_before_the_first_good_reading(floor: Floor, unread: str) -> None:
    floor.broker.failing_reads[unread] = 1000
    async with floor.working(needs=ALL):
        order = await floor.place()
        await asyncio.sleep(1.5)
        waiting, sent = await floor.stored(order), list(floor.broker.calls)
        floor.broker.failing_reads[unread] = 0
        await floor.until(order, OrderState.FILLED)

    assert (waiting.state, sent) == (OrderState.NEW, [])
    assert len(floor.broker.calls) == 1


async def test_nothing_is_claimed_while_positions_are_unexplained_and_nobody_was_told(floor: Floor) -> None:
    seldom = ReconcileLimits(recheck_seconds=60, positions_seconds=60)
    often = ReconcileLimits(recheck_seconds=0.2, positions_seconds=60)
    floor.broker.venue.drift[floor.account, "TCS"] = 7
    async with floor.working(needs=ALL, reconcile=seldom):
        order = await floor.place()
        await eventually(lambda: floor.reads_of("positions") >= 1)
        await asyncio.sleep(1.0)
        waiting, sent = await floor.stored(order), list(floor.broker.calls)

    async with floor.working(needs=ALL, reconcile=often):
        await floor.until(order, OrderState.FILLED)
        told = await floor.standing_alerts()

    assert (waiting.state, sent) == (OrderState.NEW, [])
    assert told == [AlertCode.POSITION_DRIFT]
    # A process that starts later knows that a person knows.
    reads = floor.reads_of("positions")
    async with floor.working(needs=ALL, reconcile=seldom):
        await floor.until(await floor.place(), OrderState.FILLED)
    assert floor.reads_of("positions") <= reads + 2


async def test_cancellation_of_a_known_order_does_not_wait_for_the_readings(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    async with floor.working():
        order = await floor.until(await floor.place(), OrderState.OPEN)
    floor.broker.failing_reads["positions"] = 1000
    async with floor.working(needs=ALL):
        await floor.ask(order, PendingAction.CANCEL)
        await floor.until(order, OrderState.CANCELLED)


async def test_person_is_told_when_the_books_stay_unreadable_and_again_when_that_is_over(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_gate, "LATE_SECONDS", 1.0)
    floor.broker.failing_reads["orders"] = 1000
    async with floor.working(needs=ALL):
        order = await floor.place()

        async def is_told() -> bool:
            return await floor.standing_alerts() == [AlertCode.BOOKS_NOT_READ]

        await eventually(is_told)
        floor.broker.failing_reads["orders"] = 0
        await floor.until(order, OrderState.FILLED)

        async def is_over() -> bool:
            return await floor.standing_alerts() == []

        await eventually(is_over)
