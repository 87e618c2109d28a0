"""What accepting must hold while others change the same account."""

from vyomo_contracts.vocabulary import OrderState, Origin
from vyomo_ledger.testing import USER
from vyomo_ledger.writing import (
    Accepted,
    AccountClosed,
    AccountMissing,
    Adoption,
    Outdated,
    Replayed,
    Terms,
    TooFast,
)
from vyomo_service_kit.testing import eventually

from .stage import AT_A_BROKER, FOREIGN, Stage, interrupted, is_free, started, utc

_ACCEPT_LANE = "SELECT true FROM ledger.lanes WHERE account_id = $1 AND lane = 'ACCEPT'"


async def decision_is_judged_by_the_lane_as_it_is_after_the_wait(stage: Stage) -> None:
    order = stage.order("O1")
    changed = "UPDATE ledger.lanes SET risk_version = 2 WHERE account_id = $1"
    async with stage.holding(changed, order.account_id):
        accepting = started(stage.accept(order, terms=Terms(risk_version=0)))
        await stage.has_come_to_wait(accepting)

    assert await interrupted(accepting) == [Outdated()]


async def older_decision_is_made_again(stage: Stage) -> None:
    await stage.accepted("O0")
    first, second = stage.order("O1"), stage.order("O2", account=1)
    await stage.rows(
        "UPDATE ledger.lanes SET risk_version = 1 WHERE account_id = $1 RETURNING 1", second.account_id
    )

    of_another_line = await stage.accept(first, terms=Terms(next_sequence=1))
    of_other_limits = await stage.accept(second, terms=Terms(risk_version=0))

    assert of_another_line == [Outdated()]
    assert of_other_limits == [Outdated()]


async def whoever_waits_for_a_lane_holds_no_later_one(stage: Stage) -> None:
    """Else two lists that name the same accounts in two orders hold each other up."""
    first, last = sorted(stage.accounts[:2])
    async with stage.holding(f"{_ACCEPT_LANE} FOR UPDATE", first) as holder:
        accepting = started(stage.accept(stage.order("O2", account=1), stage.order("O1")))
        waits = await stage.has_come_to_wait(accepting)
        later_is_free = await is_free(holder, _ACCEPT_LANE, last)

    await interrupted(accepting)
    assert waits
    assert later_is_free


async def used_key_stands_for_its_order(stage: Stage) -> None:
    first = await stage.accepted("O1")
    later = stage.order("O2", quantity=99)

    answers = await stage.accept(later, stage.order("O3"), key="key O1")

    assert [type(answer) for answer in answers] == [Replayed, Replayed]
    assert [answer.order.order_id for answer in answers if isinstance(answer, Replayed)] == ["O1", "O1"]
    assert await stage.rows("SELECT order_id, quantity, version FROM ledger.broker_orders") == [
        {"order_id": "O1", "quantity": first.quantity, "version": 1}
    ]


async def key_of_another_user_tells_nothing(stage: Stage) -> None:
    foreign = await stage.accepted("O1", account=FOREIGN)
    mine = stage.order("O2", account=FOREIGN, user_id=USER)

    answers = await stage.accept(mine, key="key O1")

    assert answers == [AccountMissing()]
    assert foreign.user_id != USER


async def order_for_anothers_account_leaves_no_trace(stage: Stage) -> None:
    line = "SELECT next_sequence, rate_used FROM ledger.lanes WHERE account_id = $1 AND lane = 'ACCEPT'"
    before = await stage.rows(line, stage.accounts[FOREIGN])

    answers = await stage.accept(stage.order("O1", account=FOREIGN, user_id=USER))

    assert answers == [AccountMissing()]
    assert await stage.rows(line, stage.accounts[FOREIGN]) == before
    assert await stage.rows("SELECT 1 FROM ledger.broker_orders") == []


async def account_that_is_switched_off_takes_nothing(stage: Stage) -> None:
    off = "UPDATE ledger.lanes SET accepting = false WHERE account_id = $1 RETURNING 1"
    await stage.rows(off, stage.accounts[0])

    assert await stage.accept(stage.order("O1")) == [AccountClosed()]


async def list_is_numbered_as_it_stands(stage: Stage) -> None:
    await stage.accept(stage.order("O1"), stage.order("O2"), stage.order("O3"))
    await stage.accepted("O4")

    line = await stage.rows("SELECT order_id, sequence FROM ledger.broker_orders ORDER BY sequence")
    assert [(each["order_id"], each["sequence"]) for each in line] == [
        ("O1", 1),
        ("O2", 2),
        ("O3", 3),
        ("O4", 4),
    ]


async def second_counts_every_order_whatever_the_callers_clock_says(stage: Stage) -> None:
    """Two routers whose clocks are apart fill the same second. It is one that lasts: the test must not race it."""
    lasting = (
        "UPDATE ledger.lanes SET rate_second = now() + interval '1 hour' WHERE lane = 'ACCEPT' RETURNING 1"
    )
    await stage.rows(lasting)
    terms = Terms(orders_per_second=3)

    answers = [
        *await stage.accept(stage.order("O1"), stage.order("O2"), terms=terms),
        *await stage.accept(stage.order("O3", created_at=utc(-7)), terms=terms),
        *await stage.accept(stage.order("O4", created_at=utc(7200)), terms=terms),
    ]

    assert [type(answer) for answer in answers] == [Accepted, Accepted, Accepted, TooFast]


async def whoever_waited_for_the_lane_counts_in_the_second_in_which_it_got_it(stage: Stage) -> None:
    order = stage.order("O1")
    began = "SELECT date_trunc('second', xact_start) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    full = "UPDATE ledger.lanes SET rate_second = $2, rate_used = 5 WHERE account_id = $1 AND lane = 'ACCEPT'"
    over = "SELECT date_trunc('second', clock_timestamp()) > $1"
    async with stage.holding(f"{_ACCEPT_LANE} FOR UPDATE", order.account_id) as holder:
        accepting = started(stage.accept(order, terms=Terms(orders_per_second=5)))
        waits = await stage.has_come_to_wait(accepting)
        second = await stage.value(began)
        await holder.execute(full, order.account_id, second)
        await eventually(lambda: stage.value(over, second))

    answers = await interrupted(accepting)
    assert waits
    assert answers is not None
    assert [type(answer) for answer in answers] == [Accepted]


async def event_says_from_where_reading_on_misses_nothing(stage: Stage) -> None:
    """An older transaction is open: what it will commit has a smaller number, so no cursor may lie above it."""
    stage.bus.takes = True
    async with stage.database.transaction() as older:
        number = await older.fetchval("SELECT pg_current_xact_id()::text::bigint << 16")
        order = await stage.accepted("O1")
        await stage.learn(order, OrderState.SUBMITTING)
        await eventually(lambda: len(stage.bus.stored_messages) == 2)

    cursors = [each["cursor"] for each in stage.events()]
    assert len(cursors) == 2
    assert max(cursors) <= number


async def adopting_twice_is_adopting_once(stage: Stage) -> None:
    order = stage.order(
        "X1", account=AT_A_BROKER, state=OrderState.OPEN, broker_order_id="B1", origin=Origin.EXTERNAL
    )
    account_id = stage.accounts[AT_A_BROKER]

    first = await stage.ledger.adopt(account_id, [Adoption(order, (stage.fill(order, "T1"),))])
    again = await stage.ledger.adopt(account_id, [Adoption(order, (stage.fill(order, "T1"),))])

    assert ([each.order_id for each in first], again) == (["X1"], [])
    assert await stage.value("SELECT count(*) FROM ledger.fills") == 1
    assert await stage.value("SELECT count(*) FROM ledger.outbox") == 1
