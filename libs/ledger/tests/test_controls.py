import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.events import RiskChanged
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    ControlCause,
    ControlScope,
    OrderState,
    PendingAction,
    Product,
    TradingState,
    TransactionType,
)
from vyomo_ledger.testing import USER, RecordWorld, record_world
from vyomo_ledger.writing import (
    Controls,
    Halting,
    LedgerTransaction,
    NoSuchAccountError,
    PendingChange,
    Step,
    Switch,
)
from vyomo_ledger.writing.controls import EVERYONE
from vyomo_service_kit.database import open_database
from vyomo_service_kit.testing import eventually

TRIALS = 100


@pytest.fixture
async def owner(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    async with record_world(database_url, nats_url, role="vyomo") as opened:
        yield opened


def controls_of(world: RecordWorld) -> Controls:
    return Controls(world.database, world.publisher)


def halting_of(world: RecordWorld, rung: list[int] | None = None) -> Halting:
    async def ring(_: str, account_ids: list[int]) -> None:
        if rung is not None:
            rung.extend(account_ids)

    return Halting(world.ledger, world.clock, ring)


async def switch(world: RecordWorld, state: TradingState, **changes: Any) -> None:
    given: dict[str, Any] = {
        "user_id": USER,
        "scope": ControlScope.GLOBAL,
        "state": state,
        "reason": "drill",
        "actor": "key-1",
    }
    await controls_of(world).throw(Switch(**(given | changes)), world.clock.now())


async def accepted(world: RecordWorld, **changes: Any) -> Order:
    new = world.new(world.order(**changes))
    await world.ledger.accept([new])
    return new.order


async def claim(world: RecordWorld, *account_ids: int, exits_first: bool = False) -> list[str]:
    """What a worker would send now, marked as sent."""
    async with world.ledger.transaction() as transaction:
        claimed = await transaction.claim(
            account_ids or [world.account], per_account=50, exits_first=exits_first
        )
        update = OrderUpdate(state=OrderState.SUBMITTING, at=world.clock.now())
        transaction.step([Step(order=order, update=update) for order in claimed.orders])
    return [order.order_id for order in claimed.orders]


async def bring_to(world: RecordWorld, order: Order, state: OrderState, **changes: Any) -> Order:
    async with world.ledger.transaction() as transaction:
        current = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
        transaction.step(
            [Step(order=current, update=OrderUpdate(state=state, at=world.clock.now(), **changes))]
        )
        return transaction.current(current)


async def ask(world: RecordWorld, order: Order, action: PendingAction, **changes: Any) -> None:
    async with world.ledger.transaction() as transaction:
        current = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
        modification = OrderModification(**changes) if changes else None
        transaction.ask(
            PendingChange(order=current, action=action, modification=modification), world.clock.now()
        )


async def actions(world: RecordWorld) -> list[str]:
    async with world.ledger.transaction() as transaction:
        claimed = await transaction.claim([world.account], per_account=50)
        return [change.order.order_id for change in claimed.actions]


async def hold(world: RecordWorld, quantity: int, *, product: Product = Product.MIS) -> None:
    await world.rows(
        "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price, version,"
        " updated_at) VALUES ($1, 'asha', 'paper', 'NSE', 'RELIANCE', $2, $3, 250, 1, now())",
        world.account,
        product,
        quantity,
    )


async def trading_of(world: RecordWorld, account_id: int) -> set[str]:
    rows = await world.rows("SELECT trading FROM ledger.lanes WHERE account_id = $1", account_id)
    return {row["trading"] for row in rows}


@pytest.mark.parametrize(
    ("scope", "scope_id", "user_id", "halted"),
    [
        (ControlScope.GLOBAL, "", USER, {"account", "second_account"}),
        (ControlScope.GLOBAL, "", EVERYONE, {"account", "second_account", "foreign_account"}),
        (ControlScope.BROKER, "paper", USER, {"account", "second_account"}),
        (ControlScope.BROKER, "zerodha", USER, set[str]()),
        (ControlScope.ACCOUNT, "account", USER, {"account"}),
    ],
)
async def test_switch_covers_both_lanes_of_its_accounts_and_no_others(
    owner: RecordWorld, scope: ControlScope, scope_id: str, user_id: str, halted: set[str]
) -> None:
    number = str(owner.account) if scope_id == "account" else scope_id

    await switch(owner, TradingState.HALTED, scope=scope, scope_id=number, user_id=user_id)

    for name in ("account", "second_account", "foreign_account"):
        expected = {"HALTED"} if name in halted else {"ACTIVE"}
        assert await trading_of(owner, getattr(owner, name)) == expected, name


async def test_most_restrictive_of_the_switches_holds_and_each_is_released_alone(owner: RecordWorld) -> None:
    account = {"scope": ControlScope.ACCOUNT, "scope_id": str(owner.account)}
    await switch(owner, TradingState.HALTED)
    await switch(owner, TradingState.REDUCING, cause=ControlCause.DAILY_LOSS, **account)

    await switch(owner, TradingState.ACTIVE)
    after_release = await trading_of(owner, owner.account)
    await switch(owner, TradingState.ACTIVE, **account)

    assert after_release == await trading_of(owner, owner.account) == {"REDUCING"}
    assert await trading_of(owner, owner.second_account) == {"ACTIVE"}


async def test_account_of_another_user_cannot_be_switched_and_nothing_is_left_of_the_attempt(
    owner: RecordWorld,
) -> None:
    foreign = {"scope": ControlScope.ACCOUNT, "scope_id": str(owner.foreign_account)}

    with pytest.raises(NoSuchAccountError):
        await switch(owner, TradingState.HALTED, **foreign)

    assert await owner.rows("SELECT 1 FROM ledger.controls WHERE scope = 'account'") == []
    assert await owner.rows("SELECT 1 FROM ledger.risk_events") == []


async def test_halted_account_is_not_claimed_from_and_its_cancellations_are(owner: RecordWorld) -> None:
    working = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    changing = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    await accepted(owner)
    await accepted(owner, transaction_type=TransactionType.SELL)
    await hold(owner, 10)
    await switch(owner, TradingState.HALTED)
    await ask(owner, working, PendingAction.CANCEL)
    await ask(owner, changing, PendingAction.MODIFY, price=Decimal(251))

    assert await claim(owner) == []
    assert await actions(owner) == [working.order_id]


async def test_release_lets_what_still_waits_through(owner: RecordWorld) -> None:
    order = await accepted(owner)
    await switch(owner, TradingState.HALTED)
    await switch(owner, TradingState.ACTIVE)

    assert await claim(owner) == [order.order_id]


async def test_reducing_account_sends_only_what_brings_its_position_closer_to_zero(
    owner: RecordWorld,
) -> None:
    await hold(owner, 15)
    sell = {"transaction_type": TransactionType.SELL}
    await accepted(owner)
    exit_order = await accepted(owner, **sell)
    await accepted(owner, **sell, symbol="TCS")
    await accepted(owner, **sell, product=Product.CNC)
    # Ten of fifteen may be sold by the first already.
    too_much = await accepted(owner, **sell)
    await switch(owner, TradingState.REDUCING)

    assert await claim(owner) == [exit_order.order_id]
    await halting_of(owner).run_once()
    denied = await owner.stored(too_much.order_id)
    assert (denied.state, denied.reason_code) == (OrderState.DENIED, ReasonCode.TRADING_REDUCING)


async def test_order_that_may_have_been_filled_counts_as_filled(owner: RecordWorld) -> None:
    await hold(owner, -10)
    unconfirmed = await accepted(owner)
    await bring_to(owner, unconfirmed, OrderState.SUBMITTING)
    await bring_to(owner, unconfirmed, OrderState.UNCONFIRMED)
    await accepted(owner)
    await switch(owner, TradingState.REDUCING)

    assert await claim(owner) == []


async def test_shares_in_holdings_may_be_sold_while_reducing(owner: RecordWorld) -> None:
    await owner.rows(
        "INSERT INTO accounts.holdings (account_id, user_id, exchange, symbol, quantity, average_price, version, updated_at)"
        " VALUES ($1, 'asha', 'NSE', 'RELIANCE', 10, 250, 1, now())",
        owner.account,
    )
    sell = {"transaction_type": TransactionType.SELL}
    delivery = await accepted(owner, **sell, product=Product.CNC)
    await accepted(owner, **sell)
    await switch(owner, TradingState.REDUCING)

    assert await claim(owner) == [delivery.order_id]


async def test_modification_while_reducing_must_leave_an_order_that_reduces(owner: RecordWorld) -> None:
    await hold(owner, 10)
    sell = {"transaction_type": TransactionType.SELL, "quantity": 5}
    entry = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    cheaper = await bring_to(owner, await accepted(owner, **sell), OrderState.OPEN)
    larger = await bring_to(owner, await accepted(owner, **sell), OrderState.OPEN)
    await switch(owner, TradingState.REDUCING)
    await ask(owner, entry, PendingAction.MODIFY, price=Decimal(251))
    await ask(owner, cheaper, PendingAction.MODIFY, price=Decimal(249))
    await ask(owner, larger, PendingAction.MODIFY, quantity=6)

    assert await actions(owner) == [cheaper.order_id]


async def test_no_claim_commits_after_a_kill_has_committed(owner: RecordWorld) -> None:
    """Claimers race with a kill, over and over; every claim that took something must have committed before it."""
    late: list[str] = []
    before = 0
    for _ in range(TRIALS):
        await owner.ledger.accept([owner.new() for _ in range(6)])
        killed = asyncio.Event()

        async def take(killed: asyncio.Event = killed) -> int:
            taken = 0
            while not killed.is_set():
                async with owner.ledger.transaction() as transaction:
                    claimed = await transaction.claim([owner.account], per_account=1)
                    update = OrderUpdate(state=OrderState.SUBMITTING, at=owner.clock.now())
                    transaction.step([Step(order=order, update=update) for order in claimed.orders])
                taken += len(claimed.orders)
            return taken

        async def kill(killed: asyncio.Event = killed) -> int:
            await switch(owner, TradingState.HALTED)
            [row] = await owner.rows(
                "SELECT count(*) AS sent FROM ledger.broker_orders WHERE state = 'SUBMITTING'"
            )
            late.extend(await claim(owner))
            killed.set()
            return row["sent"]

        *_, sent = await asyncio.gather(take(), take(), take(), kill())
        [row] = await owner.rows(
            "SELECT count(*) AS sent FROM ledger.broker_orders WHERE state = 'SUBMITTING'"
        )
        assert row["sent"] == sent, "an order was claimed after the kill had committed"
        before += sent
        await halting_of(owner).run_once()
        # Else the cancellations asked for would be all that the next trial's claimers find.
        await owner.rows(
            "UPDATE ledger.broker_orders SET state = 'CANCELLED', pending_action = NULL, pending_stage = NULL"
            " WHERE state = 'SUBMITTING'"
        )
        await switch(owner, TradingState.ACTIVE)

    assert late == []
    assert TRIALS / 2 < before < 6 * TRIALS, "the kill should come in the middle of the claims"


async def test_claim_that_takes_exits_first_obeys_the_switch_too(owner: RecordWorld) -> None:
    await hold(owner, 10)
    await accepted(owner)
    way_out = await accepted(owner, transaction_type=TransactionType.SELL)
    await switch(owner, TradingState.HALTED)
    while_halted = await claim(owner, exits_first=True)
    await switch(owner, TradingState.REDUCING)

    assert while_halted == []
    assert await claim(owner, exits_first=True) == [way_out.order_id]


async def test_halt_outlives_the_processes(database_url: str, nats_url: str) -> None:
    async with record_world(database_url, nats_url, role="vyomo") as first:
        await accepted(first)
        await switch(first, TradingState.HALTED)
        account = first.account

    # Another process, with nothing but the record.
    async with (
        open_database(database_url, role="vyomo_worker", application="second") as database,
        database.transaction() as connection,
    ):
        claimed = await LedgerTransaction(connection, partitions=2).claim([account], per_account=10)

    assert claimed.orders == []


async def test_orders_waiting_at_a_halt_are_denied_and_pending_ones_are_cancelled(owner: RecordWorld) -> None:
    rung: list[int] = []
    pending = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    unknown = await bring_to(owner, await accepted(owner), OrderState.SUBMITTING)
    changing = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    await ask(owner, changing, PendingAction.MODIFY, price=Decimal(251))
    waiting = await accepted(owner)
    foreign = await accepted(owner, account_id=owner.foreign_account, user_id="bela")
    await switch(owner, TradingState.HALTED, reason="fat finger")

    await halting_of(owner, rung).run_once()

    denied = await owner.stored(waiting.order_id)
    assert (denied.state, denied.reason_code, denied.reason) == (
        OrderState.DENIED,
        ReasonCode.TRADING_HALTED,
        "trading is halted: fat finger",
    )
    for order in (pending, unknown, changing):
        stored = await owner.stored(order.order_id)
        assert (stored.pending_action, stored.reason_code) == (
            PendingAction.CANCEL,
            ReasonCode.TRADING_HALTED,
        )
    assert rung == [owner.account]
    assert (await owner.stored(foreign.order_id)).state is OrderState.NEW
    assert await owner.rows("SELECT 1 FROM ledger.controls WHERE NOT swept") == []


async def test_cancellation_the_broker_refused_is_not_repeated_for_ever(owner: RecordWorld) -> None:
    pending = await bring_to(owner, await accepted(owner), OrderState.OPEN)
    await switch(owner, TradingState.HALTED)
    await halting_of(owner).run_once()
    await bring_to(
        owner,
        pending,
        OrderState.OPEN,
        reason_code=ReasonCode.BROKER_REFUSED,
        reason="no",
        clears_pending_action=True,
    )

    await halting_of(owner).run_once()

    assert (await owner.stored(pending.order_id)).pending_action is None


async def test_switch_is_an_event_of_each_user_it_concerns(owner: RecordWorld) -> None:
    await switch(owner, TradingState.HALTED, user_id=EVERYONE, reason="exchange outage")

    rows = await owner.rows("SELECT user_id, type, sequence FROM ledger.risk_events ORDER BY user_id")
    assert [(row["user_id"], row["type"]) for row in rows] == [
        ("asha", "risk.switched"),
        ("bela", "risk.switched"),
    ]

    await eventually(lambda: len(owner.heard) == 1)
    decisions = [event.decision for event in owner.heard[0].items if isinstance(event, RiskChanged)]
    assert {each.user_id: [account.account_id for account in each.accounts] for each in decisions} == {
        "asha": [owner.account, owner.second_account],
        "bela": [owner.foreign_account],
    }
    assert {(each.reason, each.state, each.actor) for each in decisions} == {
        ("exchange outage", TradingState.HALTED, "key-1")
    }
