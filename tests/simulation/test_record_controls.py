"""Switches on both records: what is thrown is worked into every lane it covers, and what it leaves behind is seen to."""

# The statements are private to their modules; both implementations are asked with the very same constants.
# pyright: reportPrivateUsage=false

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from record_under_test import OTHER_USER, USER, RecordUnderTest

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.vocabulary import ControlScope, OrderState, TradingState
from vyomo_ledger.writing import Controls, Halting, NoSuchAccountError, Step, Switch, relay
from vyomo_ledger.writing.publishing import Publication
from vyomo_order_router.adapters import risk
from vyomo_service_kit.clock import SystemClock


class Published:
    def publish(self, publications: Sequence[Publication]) -> None:
        """The outbox shows them."""


def controls_of(record: RecordUnderTest) -> Controls:
    return Controls(record.database, Published())


def halting_of(record: RecordUnderTest, rung: list[Any]) -> Halting:
    async def ring(broker: str, account_ids: list[int]) -> None:
        rung.append((broker, [record.place_of(each) for each in account_ids]))

    return Halting(record.ledger, SystemClock(), ring)


async def throw(
    record: RecordUnderTest,
    state: TradingState,
    scope: ControlScope = ControlScope.GLOBAL,
    scope_id: str = "",
    *,
    user_id: str = USER,
) -> list[tuple[int, str, int]]:
    switch = Switch(
        user_id=user_id, scope=scope, scope_id=scope_id, state=state, reason="because", actor="key"
    )
    accounts = await controls_of(record).throw(switch, datetime.now(UTC))
    return [(record.place_of(each.account_id), each.trading, each.version) for each in accounts]


async def rows(record: RecordUnderTest, query: str, *values: Any) -> list[dict[str, Any]]:
    async with record.database.connection() as connection:
        return [dict(row) for row in await connection.fetch(query, *values)]


async def test_switch_covers_what_it_names_and_the_strictest_of_several_holds(
    record: RecordUnderTest,
) -> None:
    first = str(record.accounts[0])

    assert await throw(record, TradingState.REDUCING) == [
        (0, "REDUCING", 1),
        (1, "REDUCING", 1),
        (3, "REDUCING", 1),
        (4, "REDUCING", 1),
    ]
    assert await throw(record, TradingState.HALTED, ControlScope.ACCOUNT, first) == [(0, "HALTED", 2)]
    assert await throw(record, TradingState.HALTED, ControlScope.BROKER, "zerodha") == [(4, "HALTED", 2)]
    assert await throw(record, TradingState.ACTIVE) == [
        (0, "HALTED", 3),
        (1, "ACTIVE", 2),
        (3, "ACTIVE", 2),
        (4, "HALTED", 3),
    ]
    assert await throw(record, TradingState.ACTIVE, ControlScope.ACCOUNT, first) == [(0, "ACTIVE", 4)]
    assert await throw(record, TradingState.HALTED, user_id=OTHER_USER) == [(2, "HALTED", 1)]


async def test_accounts_of_others_are_not_there(record: RecordUnderTest) -> None:
    with pytest.raises(NoSuchAccountError):
        await throw(record, TradingState.HALTED, ControlScope.ACCOUNT, str(record.accounts[2]))

    assert await rows(record, risk._CONTROLS, OTHER_USER, None) == []


async def test_owner_is_shown_the_switches_that_cover_an_account(record: RecordUnderTest) -> None:
    first, second, *_ = record.accounts
    await throw(record, TradingState.REDUCING)
    await throw(record, TradingState.HALTED, ControlScope.ACCOUNT, str(first))

    shown = [
        [
            (each["scope"], each["state"], each["version"])
            for each in await rows(record, risk._CONTROLS, *asked)
        ]
        for asked in ((USER, None), (USER, first), (USER, second), (OTHER_USER, None))
    ]

    assert shown == [
        [("global", "REDUCING", 1), ("account", "HALTED", 1)],
        [("global", "REDUCING", 1), ("account", "HALTED", 1)],
        [("global", "REDUCING", 1)],
        [],
    ]
    states = await rows(record, risk._STATES, USER, second)
    assert [(record.place_of(each["account_id"]), each["trading"], each["version"]) for each in states] == [
        (1, "REDUCING", 1)
    ]


async def test_halt_ends_what_waits_and_cancels_what_works_once(record: RecordUnderTest) -> None:
    waiting = await record.accepted("O1")
    working = await record.accepted("O2")
    async with record.ledger.transaction() as transaction:
        locked = await transaction.lock([(working.account_id, working.order_id)])
        update = OrderUpdate(state=OrderState.SUBMITTING, at=datetime.now(UTC))
        transaction.step(
            [Step(order=locked[working.order_id], update=update, send_deadline=datetime.now(UTC))]
        )
    rung: list[Any] = []

    await throw(record, TradingState.HALTED)
    await halting_of(record, rung).run_once()
    await halting_of(record, rung).run_once()

    ended, cancelling = await record.stored(waiting.order_id), await record.stored(working.order_id)
    assert (ended["state"], ended["reason"]) == ("DENIED", "trading is halted: because")
    assert (cancelling["state"], cancelling["pending_action"]) == ("SUBMITTING", "CANCEL")
    assert (cancelling["version"], rung) == (3, [("paper", [0])])


async def test_account_that_may_only_reduce_keeps_what_reduces(record: RecordUnderTest) -> None:
    await record.hold(record.accounts[0], -10)
    closing = await record.accepted("O1")
    opening = await record.accepted("O2")

    await throw(record, TradingState.REDUCING)
    await halting_of(record, []).run_once()

    assert (await record.stored(closing.order_id))["state"] == "NEW"
    assert (await record.stored(opening.order_id))["reason_code"] == "TRADING_REDUCING"


async def test_decision_is_announced_in_its_commit_and_read_again_by_the_relay(
    record: RecordUnderTest,
) -> None:
    await throw(record, TradingState.HALTED)

    [announced] = await record.outbox()
    assert (announced["broker"], announced["partition"], announced["order_ids"]) == ("risk", 0, [])
    [decision] = await rows(record, relay._DECISIONS, announced["risk_sequences"])
    assert decision["sequence"] == announced["risk_sequences"][0]
    assert '"HALTED"' in decision["body"]
