"""Session loss is a state: nothing is sent without a session, entries wait and expire, cancellations wait (F22, I6)."""

import asyncio
from datetime import timedelta
from typing import Any

from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_broker_kit.testing.signing_in import signing_in
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.events import SessionChanged
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.sessions import SessionState
from vyomo_contracts.vocabulary import Broker, OrderState, PendingAction
from vyomo_ledger.writing import end_session, lock_sessions, open_session
from vyomo_service_kit.testing import eventually


async def sign_in(floor: Floor, *, seconds: float = 3600) -> None:
    now = floor.world.clock.now()
    async with floor.world.ledger.transaction() as transaction:
        await open_session(transaction, floor.account, valid_until=now + timedelta(seconds=seconds), at=now)


async def sign_out(floor: Floor) -> None:
    async with floor.world.ledger.transaction() as transaction:
        await lock_sessions(transaction, [floor.account])
        await end_session(transaction, floor.account, reason="signed out", at=floor.world.clock.now())


async def session(floor: Floor) -> dict[str, Any]:
    (row,) = await floor.world.rows(
        "SELECT state, reason, xmin::text AS written_by FROM accounts.broker_sessions WHERE account_id = $1",
        floor.account,
    )
    return row


def told_states(floor: Floor) -> list[SessionState]:
    return [
        event.session.state
        for envelope in floor.world.heard
        for event in envelope.items
        if isinstance(event, SessionChanged)
    ]


async def test_refused_session_costs_one_order_and_ends_in_the_commit_that_records_it(floor: Floor) -> None:
    async with floor.working():
        # The readings of a worker that starts are over: the order is the first to meet the dead session.
        await eventually(lambda: floor.reads_of("funds") >= 1 and floor.reads_of("orders") >= 1)
        await asyncio.sleep(0.2)
        floor.broker.expired_sessions.add(floor.account)
        first = await floor.place()
        stored = await floor.until(first, OrderState.REJECTED)
        later = [await floor.place() for _ in range(3)]
        await asyncio.sleep(1.5)
        states = [(await floor.stored(order)).state for order in later]

    assert stored.reason == "TokenException: the session has expired"
    assert states == [OrderState.NEW] * 3
    assert floor.broker.calls == [("POST", first.broker_tag)]
    ended = await session(floor)
    assert ended["state"] == "EXPIRED"
    (row,) = await floor.world.rows(
        "SELECT xmin::text AS written_by FROM ledger.broker_orders WHERE order_id = $1", first.order_id
    )
    assert row["written_by"] == ended["written_by"]
    assert told_states(floor) == [SessionState.EXPIRED]
    assert await floor.standing_alerts() == [AlertCode.SESSION_EXPIRED]


async def test_orders_wait_without_a_session_and_leave_when_somebody_signs_in(floor: Floor) -> None:
    await sign_out(floor)
    async with floor.working():
        order = await floor.place()
        await asyncio.sleep(1.2)
        waiting = (await floor.stored(order)).state
        await sign_in(floor)
        await floor.until(order, OrderState.FILLED)

    assert waiting is OrderState.NEW
    assert floor.broker.calls == [("POST", order.broker_tag)]
    assert await floor.standing_alerts() == []


async def test_account_that_never_signed_in_sends_nothing(floor: Floor) -> None:
    async with floor.world.database.connection() as connection:
        await connection.execute("DELETE FROM accounts.broker_sessions")
        await connection.execute("UPDATE ledger.lanes SET session_until = NULL")
    async with floor.working(reconcile=ReconcileLimits(idle_seconds=0.3, positions_seconds=0.3)):
        order = await floor.place()
        await asyncio.sleep(1.5)

    assert (await floor.stored(order)).state is OrderState.NEW
    assert (floor.broker.calls, floor.broker.reads) == ([], [])


async def test_scripted_worker_signs_in_accounts_that_have_no_session(floor: Floor) -> None:
    async with floor.world.database.connection() as connection:
        await connection.execute("DELETE FROM accounts.broker_sessions")
        await connection.execute("UPDATE ledger.lanes SET session_until = NULL")
    async with floor.working(beside=lambda parts: signing_in(parts.ledger, parts.clock, Broker.ZERODHA)):
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)

    assert (await session(floor))["state"] == "ACTIVE"


async def test_session_that_runs_out_is_seen_by_the_claim_and_told_as_it_ages(floor: Floor) -> None:
    await sign_in(floor, seconds=2)
    async with floor.working():
        await eventually(lambda: SessionState.EXPIRED in told_states(floor))
        order = await floor.place()
        await asyncio.sleep(1)

    assert told_states(floor) == [SessionState.ACTIVE, SessionState.EXPIRING, SessionState.EXPIRED]
    assert (await floor.stored(order)).state is OrderState.NEW
    assert floor.broker.calls == []


async def test_cancel_waits_for_a_session_and_goes_out_with_the_next_one(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        floor.broker.expired_sessions.add(floor.account)
        await floor.ask(order, PendingAction.CANCEL)

        async def is_refused() -> bool:
            return (await session(floor))["state"] == "EXPIRED"

        await eventually(is_refused)
        await asyncio.sleep(1)
        waiting = await floor.stored(order)
        floor.broker.expired_sessions.clear()
        await sign_in(floor)
        stored = await floor.until(order, OrderState.CANCELLED)

    assert (waiting.state, waiting.pending_action) == (OrderState.OPEN, PendingAction.CANCEL)
    assert stored.reason == "changed my mind"
    # At most one before the session's end was known, one after the next began.
    assert [method for method, _ in floor.broker.calls].count("DELETE") <= 2


async def test_cancel_that_waited_too_long_is_given_up_and_says_so(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    async with floor.working(limits=SendLimits(waiting_change_seconds=1)):
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        await sign_out(floor)
        await floor.ask(order, PendingAction.CANCEL)

        async def is_given_up() -> bool:
            return (await floor.stored(order)).pending_action is None

        await eventually(is_given_up)
        stored = await floor.stored(order)

    assert (stored.state, stored.reason_code) == (OrderState.OPEN, ReasonCode.EXPIRED_UNSENT)
    assert stored.reason == "the cancel was not sent: no broker session"
    assert [method for method, _ in floor.broker.calls] == ["POST"]


async def test_dead_session_is_not_asked_again_and_again(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    quick = ReconcileLimits(working_seconds=0.2, idle_seconds=0.2, positions_seconds=0.2)
    async with floor.working(reconcile=quick):
        await floor.until(await floor.place(), OrderState.OPEN)
        floor.broker.expired_sessions.add(floor.account)

        async def is_over() -> bool:
            return (await session(floor))["state"] == "EXPIRED"

        await eventually(is_over)
        await asyncio.sleep(0.5)
        before = len(floor.broker.reads)
        await asyncio.sleep(2)

    assert len(floor.broker.reads) - before <= 1
