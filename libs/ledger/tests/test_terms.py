"""An order is recorded only under the terms it was decided upon."""

import asyncio

import pytest

from vyomo_contracts.capabilities import RateWindow
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.vocabulary import ControlScope, OrderState, TradingState
from vyomo_ledger.testing import USER, RecordWorld
from vyomo_ledger.writing import (
    Accepted,
    Controls,
    NewOrder,
    Outdated,
    Replayed,
    Switch,
    Terms,
    TooFast,
)
from vyomo_service_kit.testing import eventually


def on(world: RecordWorld, *, account: int | None = None, key: str | None = None, **terms: int) -> NewOrder:
    new = world.new(world.order(account), key=key)
    return NewOrder(new.order, new.idempotency_key, new.body_hash, Terms(**terms))


async def wait_for_second(world: RecordWorld, *, before: int = 60) -> None:
    """The rest of the test then happens within one second of the database's clock."""

    async def has_begun() -> bool:
        [row] = await world.rows("SELECT extract(milliseconds FROM clock_timestamp())::integer AS ms")
        return row["ms"] % 1000 < 300 and row["ms"] < before * 1000

    await eventually(has_begun)


async def test_change_of_limits_or_state_makes_a_decision_outdated(world: RecordWorld) -> None:
    controls = Controls(world.database, world.publisher)
    now = world.clock.now()
    assert await world.ledger.accept([first := on(world, risk_version=0)]) == [Accepted(first.order)]

    await controls.set_limits(USER, None, RiskLimits(max_open_orders=5), actor="k", at=now)
    after_limits = await world.ledger.accept([on(world, risk_version=0)])
    halt = Switch(user_id=USER, scope=ControlScope.GLOBAL, state=TradingState.HALTED, reason="r", actor="k")
    await controls.throw(halt, now)
    after_halt = await world.ledger.accept([on(world, risk_version=1), last := on(world, risk_version=2)])

    assert after_limits == [Outdated()]
    assert after_halt == [Outdated(), Accepted(last.order)]


async def test_limits_of_one_account_leave_decisions_about_another_alone(world: RecordWorld) -> None:
    controls = Controls(world.database, world.publisher)
    await controls.set_limits(
        USER, world.account, RiskLimits(max_open_orders=5), actor="k", at=world.clock.now()
    )

    answers = await world.ledger.accept(
        [on(world, risk_version=0), other := on(world, account=world.second_account, risk_version=0)]
    )

    assert answers == [Outdated(), Accepted(other.order)]


async def test_another_order_since_the_account_was_read_makes_a_decision_outdated(world: RecordWorld) -> None:
    both = [on(world, next_sequence=1), on(world, next_sequence=1)]
    await world.ledger.accept(both)

    answers = await world.ledger.accept([on(world, next_sequence=1), third := on(world, next_sequence=3)])

    assert answers == [Outdated(), Accepted(third.order)]
    rows = await world.rows("SELECT sequence FROM ledger.broker_orders ORDER BY sequence")
    assert [row["sequence"] for row in rows] == [1, 2, 3]


async def test_two_who_read_the_account_at_once_do_not_both_use_what_is_left(world: RecordWorld) -> None:
    answers = await asyncio.gather(*(world.ledger.accept([on(world, next_sequence=1)]) for _ in range(8)))

    kinds = [type(answer) for [answer] in answers]
    assert (kinds.count(Accepted), kinds.count(Outdated)) == (1, 7)


async def test_orders_beyond_the_rate_of_a_second_are_not_recorded(world: RecordWorld) -> None:
    await wait_for_second(world)

    first = await world.ledger.accept([on(world, orders_per_second=3) for _ in range(2)])
    second = await world.ledger.accept([on(world, orders_per_second=3) for _ in range(3)])
    other = await world.ledger.accept([on(world, account=world.second_account, orders_per_second=1)])

    kinds = [type(answer) for answer in (*first, *second, *other)]
    assert kinds == [Accepted, Accepted, Accepted, TooFast, TooFast, Accepted]
    rows = await world.rows("SELECT sequence FROM ledger.broker_orders WHERE account_id = $1", world.account)
    assert sorted(row["sequence"] for row in rows) == [1, 2, 3]


async def test_next_second_has_room_again(world: RecordWorld) -> None:
    await wait_for_second(world)
    await world.ledger.accept([on(world, orders_per_second=1)])

    async def is_accepted() -> bool:
        [answer] = await world.ledger.accept([on(world, orders_per_second=1)])
        return isinstance(answer, Accepted)

    assert await is_accepted() is False
    await eventually(is_accepted)


@pytest.mark.parametrize("window", [RateWindow.MINUTE, RateWindow.HOUR, RateWindow.DAY])
async def test_longer_windows_outlast_their_seconds(world: RecordWorld, window: RateWindow) -> None:
    terms = Terms(**{f"orders_per_{window}": 2})

    def order() -> NewOrder:
        new = world.new(world.order())
        return NewOrder(new.order, new.idempotency_key, new.body_hash, terms)

    await wait_for_second(world, before=50)  # of its minute, so that the next second is of the same one
    first = await world.ledger.accept([order(), order()])
    await wait_for_second(world)

    second = await world.ledger.accept([order()])
    await world.rows("UPDATE ledger.lanes SET rate_second = rate_second - $1::interval", window.length)
    third = await world.ledger.accept([order()])

    assert [type(answer) for answer in first] == [Accepted, Accepted]
    assert second == [TooFast(window)]
    assert [type(answer) for answer in third] == [Accepted]


async def test_denied_orders_use_up_nothing_and_are_recorded_at_any_rate(world: RecordWorld) -> None:
    await wait_for_second(world)

    def denied() -> NewOrder:
        new = on(world, orders_per_second=1)
        order = new.order.model_copy(update={"state": OrderState.DENIED})
        return NewOrder(order, new.idempotency_key, new.body_hash, new.terms)

    answers = await world.ledger.accept(
        [denied(), denied(), on(world, orders_per_second=1), denied(), on(world, orders_per_second=1)]
    )

    assert [type(answer) for answer in answers] == [Accepted, Accepted, Accepted, Accepted, TooFast]
    rows = await world.rows("SELECT sequence FROM ledger.broker_orders ORDER BY sequence")
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]


async def test_used_key_stands_for_its_order_whatever_the_terms(world: RecordWorld) -> None:
    await wait_for_second(world)
    await world.ledger.accept([first := on(world, key="k", orders_per_second=1)])

    answers = await world.ledger.accept(
        [on(world, key="k", orders_per_second=1), on(world, key="k", risk_version=9)]
    )

    assert answers == [Replayed(first.order, same_request=True)] * 2
