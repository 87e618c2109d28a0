import asyncio

import pytest
from asyncpg.exceptions import UniqueViolationError

from vyomo_contracts.events import OrderChanged
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.testing import OTHER_USER, RecordWorld, create_account
from vyomo_ledger.writing import Accepted, AccountClosed, AccountMissing, Replayed
from vyomo_service_kit.testing import eventually


async def test_accepted_order_is_recorded_with_its_first_event(world: RecordWorld) -> None:
    new = world.new()

    [answer] = await world.ledger.accept([new])

    assert answer == Accepted(new.order)
    assert await world.stored(new.order.order_id) == new.order
    [event] = await world.rows("SELECT version, type, user_id FROM ledger.order_events")
    assert event == {"version": 1, "type": "order.accepted", "user_id": "asha"}


async def test_accepted_order_is_published_and_leaves_the_outbox(world: RecordWorld) -> None:
    new = world.new()

    await world.ledger.accept([new])

    async def is_published_and_cleared() -> bool:
        return bool(world.heard) and not await world.rows("SELECT 1 FROM ledger.outbox")

    await eventually(is_published_and_cleared)
    [event] = world.heard[0].items
    assert isinstance(event, OrderChanged)
    assert event.order == new.order
    assert 0 < event.cursor <= event.sequence


async def test_same_key_and_body_gives_the_order_as_it_now_is(world: RecordWorld) -> None:
    first, second = world.new(key="k"), world.new(key="k")
    await world.ledger.accept([first])

    [answer] = await world.ledger.accept([second])

    assert answer == Replayed(first.order, same_request=True)
    assert len(await world.rows("SELECT 1 FROM ledger.broker_orders")) == 1


async def test_same_key_with_another_body_is_told_apart(world: RecordWorld) -> None:
    await world.ledger.accept([world.new(key="k", body="a")])

    [answer] = await world.ledger.accept([world.new(key="k", body="b")])

    assert isinstance(answer, Replayed)
    assert not answer.same_request


async def test_one_key_twice_in_one_list_makes_one_order(world: RecordWorld) -> None:
    answers = await world.ledger.accept([world.new(key="k"), world.new(key="k")])

    assert [type(answer) for answer in answers] == [Accepted, Replayed]


async def test_keys_of_two_accounts_do_not_meet(world: RecordWorld) -> None:
    answers = await world.ledger.accept(
        [world.new(key="k"), world.new(world.order(world.second_account), key="k")]
    )

    assert [type(answer) for answer in answers] == [Accepted, Accepted]


async def test_racing_repeats_of_one_key_make_one_order(world: RecordWorld) -> None:
    answers = await asyncio.gather(*(world.ledger.accept([world.new(key="k")]) for _ in range(20)))

    kinds = [type(answer) for [answer] in answers]
    assert kinds.count(Accepted) == 1
    assert kinds.count(Replayed) == 19


async def test_bad_rows_fail_alone(world: RecordWorld) -> None:
    foreign = world.new(world.order(world.foreign_account))
    unknown = world.new(world.order(999_999))
    good = world.new()

    answers = await world.ledger.accept([foreign, good, unknown])

    assert [type(answer) for answer in answers] == [AccountMissing, Accepted, AccountMissing]


async def test_foreign_row_in_the_list_does_not_disturb_the_owners_numbering(world: RecordWorld) -> None:
    intruder = world.new(world.order(world.account, user_id=OTHER_USER))

    await world.ledger.accept([intruder, world.new(), intruder, world.new()])
    await world.ledger.accept([world.new()])

    rows = await world.rows("SELECT sequence FROM ledger.broker_orders ORDER BY id")
    assert [row["sequence"] for row in rows] == [1, 2, 3]


async def test_closed_account_takes_no_orders_but_still_answers_replays(world: RecordWorld) -> None:
    known = world.new(key="k")
    await world.ledger.accept([known])
    async with world.database.connection() as connection:
        await connection.execute(
            "UPDATE ledger.lanes SET accepting = false WHERE account_id = $1", world.account
        )

    answers = await world.ledger.accept([world.new(), world.new(key="k")])

    assert answers == [AccountClosed(), Replayed(known.order, same_request=True)]


async def test_denied_order_is_recorded_as_such(world: RecordWorld) -> None:
    denied = world.order(state=OrderState.DENIED)

    await world.ledger.accept([world.new(denied)])

    [event] = await world.rows("SELECT type FROM ledger.order_events")
    assert event["type"] == "order.denied"
    assert (await world.stored(denied.order_id)).status == "REJECTED"


async def test_sequences_are_gapless_and_in_commit_order_per_account_under_load(world: RecordWorld) -> None:
    async def many(account_id: int) -> None:
        for _ in range(10):
            await world.ledger.accept([world.new(world.order(account_id)) for _ in range(3)])

    # Lists of both accounts in opposite orders: locks are taken in account order, so they never wait in a circle.
    async def mixed(*, reverse: bool) -> None:
        accounts = [world.account, world.second_account]
        for _ in range(10):
            await world.ledger.accept(
                [world.new(world.order(each)) for each in (reversed(accounts) if reverse else accounts)]
            )

    await asyncio.gather(
        many(world.account), many(world.second_account), mixed(reverse=True), mixed(reverse=False)
    )

    for account_id in (world.account, world.second_account):
        rows = await world.rows(
            "SELECT sequence FROM ledger.broker_orders WHERE account_id = $1 ORDER BY sequence", account_id
        )
        assert [row["sequence"] for row in rows] == list(range(1, 51))


async def test_event_sequences_never_repeat(world: RecordWorld) -> None:
    await asyncio.gather(*(world.ledger.accept([world.new() for _ in range(5)]) for _ in range(10)))

    rows = await world.rows(
        "SELECT count(*) AS all, count(DISTINCT sequence) AS different FROM ledger.order_events"
    )
    assert rows == [{"all": 50, "different": 50}]


async def test_racing_requests_under_one_key_are_told_apart_by_their_bodies(world: RecordWorld) -> None:
    bodies = "abcd" * 5

    answers = await asyncio.gather(*(world.ledger.accept([world.new(key="k", body=body)]) for body in bodies))

    [winner] = [place for place, [answer] in enumerate(answers) if isinstance(answer, Accepted)]
    for body, [answer] in zip(bodies, answers, strict=True):
        if isinstance(answer, Replayed):
            assert answer.same_request is (body == bodies[winner])
    assert len(await world.rows("SELECT 1 FROM ledger.order_events")) == 1


async def test_broker_tag_is_of_one_order_for_ever(world: RecordWorld) -> None:
    account = await create_account(world.database, user_id="asha", client_id="Z1", broker=Broker.ZERODHA)
    order = world.order(account, broker=Broker.ZERODHA)
    await world.ledger.accept([world.new(order)])
    twin = order.model_copy(update={"order_id": "ZERODHA_TWIN"})

    with pytest.raises(UniqueViolationError):
        await world.ledger.accept([world.new(twin)])
