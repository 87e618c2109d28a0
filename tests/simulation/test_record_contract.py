"""One suite for both implementations of the record: PostgreSQL, and the simulation's in memory."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from asyncpg.exceptions import LockNotAvailableError
from record_under_test import RecordUnderTest

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import OrderModification
from vyomo_contracts.vocabulary import OrderState, PendingAction, TransactionType
from vyomo_ledger.writing import (
    Accepted,
    AccountClosed,
    AccountMissing,
    LostRaceError,
    NewOrder,
    PendingChange,
    Replayed,
    Step,
)
from vyomo_ledger.writing.leases import Lease


def now() -> datetime:
    return datetime.now(UTC)


def submitting() -> OrderUpdate:
    return OrderUpdate(state=OrderState.SUBMITTING, at=now())


async def test_list_with_every_kind_of_answer_fails_no_neighbour(record: RecordUnderTest) -> None:
    first = record.order("O1", now=now())
    await record.ledger.accept([NewOrder(first, "used", "a" * 64)])
    asked = [
        NewOrder(record.order("O2", now=now()), "new", "a" * 64),
        NewOrder(record.order("O3", now=now()), "used", "a" * 64),
        NewOrder(record.order("O4", now=now()), "used", "b" * 64),
        NewOrder(record.order("O5", account=3, now=now()), "closed", "a" * 64),
        NewOrder(record.order("O6", account=2, now=now(), user_id="asha"), "foreign", "a" * 64),
        NewOrder(record.order("O7", now=now()), "new", "a" * 64),
    ]

    answers = await record.ledger.accept(asked)

    assert [type(answer) for answer in answers] == [
        Accepted,
        Replayed,
        Replayed,
        AccountClosed,
        AccountMissing,
        Replayed,
    ]
    replays = [answer for answer in answers if isinstance(answer, Replayed)]
    assert [(each.order.order_id, each.same_request) for each in replays] == [
        ("O1", True),
        ("O1", False),
        ("O2", True),
    ]
    assert len(await record.outbox()) == 2


async def test_one_key_used_by_many_at_once_is_one_order(record: RecordUnderTest) -> None:
    asked = [NewOrder(record.order(f"O{number}", now=now()), "key", "a" * 64) for number in range(8)]

    answers = await asyncio.gather(*(record.ledger.accept([each]) for each in asked))

    flat = [answer for [answer] in answers]
    assert [type(answer) for answer in flat].count(Accepted) == 1
    assert len({answer.order.order_id for answer in flat if isinstance(answer, Accepted | Replayed)}) == 1


async def test_claimers_wait_for_each_other_and_never_share_an_order(record: RecordUnderTest) -> None:
    for number in range(9):
        await record.accepted(f"O{number}")
    taken: list[str] = []

    async def take() -> None:
        for _ in range(3):
            async with record.ledger.transaction() as transaction:
                claimed = await transaction.claim([record.accounts[0]], per_account=1)
                await asyncio.sleep(0.005)
                transaction.step([Step(order=order, update=submitting()) for order in claimed.orders])
                taken.extend(order.order_id for order in claimed.orders)

    await asyncio.gather(take(), take(), take())

    assert taken == sorted(set(taken))


async def test_row_taken_while_a_claim_waited_drops_out_of_it(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")
    await record.accepted("O2")
    holding, waiting = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with record.ledger.transaction() as transaction:
            locked = await transaction.lock([(order.account_id, "O1")])
            holding.set()
            await waiting.wait()
            await asyncio.sleep(0.05)
            cancelled = OrderUpdate(state=OrderState.CANCELLED, at=now())
            transaction.step([Step(order=locked["O1"], update=cancelled)])

    holder = asyncio.create_task(hold())
    await holding.wait()
    async with record.ledger.transaction() as transaction:
        waiting.set()
        claimed = await transaction.claim([order.account_id], per_account=1)
    await holder

    assert [each.order_id for each in claimed.orders] == ["O2"]


async def test_lock_that_is_not_won_in_time_is_given_up(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")
    key = (order.account_id, "O1")

    async with record.ledger.transaction() as transaction:
        await transaction.lock([key])
        with pytest.raises(LockNotAvailableError):
            async with record.ledger.transaction() as other:
                await other.lock([key])

    async with record.ledger.transaction() as transaction:
        assert (await transaction.lock([key]))["O1"] == order


async def test_what_an_exception_ended_never_was_and_its_locks_are_free(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")

    async def fail() -> None:
        async with record.ledger.transaction() as transaction:
            claimed = await transaction.claim([order.account_id], per_account=5)
            transaction.step([Step(order=claimed.orders[0], update=submitting())])
            raise RuntimeError("venue")

    with pytest.raises(RuntimeError, match="venue"):
        await fail()

    async with record.ledger.transaction() as transaction:
        claimed = await transaction.claim([order.account_id], per_account=5)
    assert claimed.orders == [order]
    assert len((await record.stored("O1"))["events"]) == 1


async def test_nobody_sees_what_is_not_committed(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")

    async with record.ledger.transaction() as transaction:
        locked = await transaction.lock([(order.account_id, "O1")])
        transaction.step([Step(order=locked["O1"], update=submitting())])
        await transaction.flush()
        seen = (await record.stored("O1"))["state"]
        transaction._changes.clear()  # pyright: ignore[reportPrivateUsage] - written already; the block's end must not write it again

    assert (seen, (await record.stored("O1"))["state"]) == ("NEW", "SUBMITTING")


async def test_change_of_an_older_version_loses_the_race(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")

    async def write() -> None:
        async with record.ledger.transaction() as transaction:
            transaction.step([Step(order=order, update=submitting())])

    await write()
    with pytest.raises(LostRaceError):
        await write()

    assert (await record.stored("O1"))["version"] == 2


async def test_expired_order_is_not_claimed_but_its_cancellation_is(record: RecordUnderTest) -> None:
    old = await record.accepted("O1", expires_at=now() - timedelta(seconds=1))
    await record.accepted("O2", expires_at=now() - timedelta(seconds=1), state=OrderState.OPEN)
    async with record.ledger.transaction() as transaction:
        locked = await transaction.lock([(old.account_id, "O2")])
        transaction.ask(PendingChange(order=locked["O2"], action=PendingAction.CANCEL, reason="why"), now())

    async with record.ledger.transaction() as transaction:
        claimed = await transaction.claim([old.account_id], per_account=5)

    assert claimed.orders == []
    assert [(each.order.order_id, each.reason) for each in claimed.actions] == [("O2", "why")]


async def test_halted_account_gives_out_cancellations_only(record: RecordUnderTest) -> None:
    account_id = (await record.accepted("O1")).account_id
    for name, action in (("O2", PendingAction.CANCEL), ("O3", PendingAction.MODIFY)):
        await record.accepted(name, state=OrderState.OPEN)
        async with record.ledger.transaction() as transaction:
            locked = await transaction.lock([(account_id, name)])
            changes = OrderModification(quantity=20) if action is PendingAction.MODIFY else None
            transaction.ask(PendingChange(order=locked[name], action=action, modification=changes), now())
    await record.set_lanes(account_id, {"trading": "HALTED"})
    await record.hold(account_id, -1000)

    async with record.ledger.transaction() as transaction:
        claimed = await transaction.claim([account_id], per_account=5, exits_first=True)

    assert claimed.orders == []
    assert [each.order.order_id for each in claimed.actions] == ["O2"]


async def test_reducing_account_gives_out_what_reduces_whatever_fills_before_it(
    record: RecordUnderTest,
) -> None:
    account_id = record.accounts[0]
    await record.hold(account_id, 45)
    await record.accepted("O0", transaction_type=TransactionType.SELL, state=OrderState.OPEN)
    for number in range(1, 5):
        await record.accepted(f"O{number}", transaction_type=TransactionType.SELL)
    await record.accepted("O5")
    await record.accepted("O6", transaction_type=TransactionType.SELL, quantity=46)
    await record.set_lanes(account_id, {"trading": "REDUCING"})

    async with record.ledger.transaction() as transaction:
        claimed = await transaction.claim([account_id], per_account=9)
    await record.set_lanes(account_id, {"trading": "ACTIVE"})
    async with record.ledger.transaction() as transaction:
        in_line = await transaction.claim([account_id], per_account=5, exits_first=True, except_for=["O1"])

    assert [each.order_id for each in claimed.orders] == ["O1", "O2", "O3"]
    assert claimed.exits == set()
    assert [each.order_id for each in in_line.orders] == ["O2", "O3", "O4", "O5", "O6"]
    assert in_line.exits == {"O2", "O3", "O4"}


async def test_claim_leaves_out_what_was_given_up_and_what_the_broker_cannot_know(
    record: RecordUnderTest,
) -> None:
    for name in ("O1", "O2", "O3"):
        await record.accepted(name)
    account_id = (await record.accepted("O4", state=OrderState.UNCONFIRMED)).account_id
    async with record.ledger.transaction() as transaction:
        locked = await transaction.lock([(account_id, "O4")])
        transaction.ask(PendingChange(order=locked["O4"], action=PendingAction.CANCEL), now())

    async with record.ledger.transaction() as transaction:
        sendable = await transaction.claim([account_id], per_account=2, only_sendable=True, except_for=["O1"])
        any_ = await transaction.claim([account_id], per_account=4)

    assert [each.order_id for each in sendable.orders] == ["O2", "O3"]
    assert sendable.actions == []
    assert [each.order.order_id for each in any_.actions] == ["O4"]


async def test_claim_stands_until_the_next_one(record: RecordUnderTest) -> None:
    first = await record.accepted("O1")
    second = await record.accepted("O2")
    deadlines = [now() + timedelta(seconds=each) for each in (1, 2)]
    for deadline in deadlines:
        async with record.ledger.transaction() as transaction:
            locked = await transaction.lock((each.account_id, each.order_id) for each in (first, second))
            order = locked["O1"]
            if order.state is OrderState.SUBMITTING:
                back = OrderUpdate(state=OrderState.NEW, at=now())
                transaction.step([Step(order=order, update=back)])
            transaction.step([Step(order=order, update=submitting(), send_deadline=deadline)])

    async with record.ledger.transaction() as transaction:
        stands = [
            await transaction.standing_claims([(first.account_id, name, deadline)])
            for name in ("O1", "O2")
            for deadline in deadlines
        ]

    assert stands == [{}, {"O1": None}, {}, {}]


async def test_lease_is_held_by_one_until_it_runs_out(record: RecordUnderTest) -> None:
    first = Lease(record.database, name="relay", holder="a", seconds=0.2)
    second = Lease(record.database, name="relay", holder="b", seconds=0.2)

    held = [await first.hold(), await second.hold(), await first.hold()]
    await asyncio.sleep(0.3)

    assert held == [True, False, True]
    assert await second.hold()


async def test_lock_of_free_orders_leaves_out_what_somebody_holds(record: RecordUnderTest) -> None:
    orders = [await record.accepted(name) for name in ("O1", "O2")]
    keys = [(order.account_id, order.order_id) for order in orders]

    async with record.ledger.transaction() as holding:
        await holding.lock(keys[:1])
        async with record.ledger.transaction() as other:
            free = await other.lock(keys, only_free=True)
        own = await holding.lock(keys, only_free=True)

    assert list(free) == [orders[1].order_id]
    assert list(own) == [order.order_id for order in orders]
