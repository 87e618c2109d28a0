from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.commands import OrderReply
from vyomo_contracts.events import RiskChanged
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import ControlCause, OrderState, PendingAction, TradingState
from vyomo_ledger.testing import OTHER_USER
from vyomo_order_router.everyone import switch_everyone
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


def code_of(reply: OrderReply) -> ReasonCode | None:
    return None if reply.problem is None else reply.problem.code


async def state_of(caller: Caller, account: int) -> TradingState:
    view = (await caller.risk(account)).risk
    assert view is not None
    return view.accounts[0].trading


async def test_halt_denies_new_orders_with_their_event_and_the_same_to_a_repeat(caller: Caller) -> None:
    await caller.placed()
    await caller.kill(TradingState.HALTED)

    denied, again = await caller.place(key="k"), await caller.place(key="k")

    assert code_of(denied) is code_of(again) is ReasonCode.TRADING_HALTED
    assert denied.order is not None
    assert await caller.event_types(denied.order) == ["order.denied"]
    foreign = caller.command(account=caller.world.foreign_account, user=OTHER_USER)
    assert code_of((await caller.place_all(foreign))[0]) is None


async def test_kill_ends_what_waits_and_cancels_what_is_pending(caller: Caller) -> None:
    waiting = await caller.placed()
    working = await caller.bring_to(await caller.placed(), OrderState.OPEN, broker_order_id="B1")

    reply = await caller.kill(TradingState.HALTED, reason="went wild")

    assert reply.risk is not None
    assert {each.trading for each in reply.risk.accounts} == {TradingState.HALTED}

    async def is_seen_to() -> bool:
        denied, cancelling = [await caller.world.stored(each.order_id) for each in (waiting, working)]
        return denied.state is OrderState.DENIED and cancelling.pending_action is PendingAction.CANCEL

    await eventually(is_seen_to)
    assert (await caller.world.stored(waiting.order_id)).reason == "trading is halted: went wild"


async def test_cancelling_is_possible_while_halted_and_modifying_is_not(caller: Caller) -> None:
    working = await caller.bring_to(await caller.placed(), OrderState.OPEN, broker_order_id="B1")
    await caller.kill(TradingState.HALTED)

    modified, cancelled = await caller.modify(working, price="251"), await caller.cancel(working)

    assert code_of(modified) in {ReasonCode.TRADING_HALTED, ReasonCode.ACTION_PENDING}
    assert cancelled.problem is None
    assert cancelled.order is not None
    assert cancelled.order.pending_action is PendingAction.CANCEL


async def test_reducing_lets_exits_pass_and_denies_entries(caller: Caller) -> None:
    await caller.hold(-15)
    await caller.kill(TradingState.REDUCING)

    replies = await caller.place_all(
        caller.command(transaction_type="SELL"),
        caller.command(),
        caller.command(),
        caller.command(quantity=5),
    )

    assert [code_of(reply) for reply in replies] == [
        ReasonCode.TRADING_REDUCING,
        None,
        ReasonCode.TRADING_REDUCING,
        None,
    ]


async def test_release_lets_orders_pass_again(caller: Caller) -> None:
    await caller.kill(TradingState.HALTED)
    await caller.kill(TradingState.ACTIVE, reason="drill over")

    assert code_of(await caller.place()) is None


async def test_account_opened_under_a_halt_is_halted_too(caller: Caller) -> None:
    await caller.kill(TradingState.HALTED)

    created = await caller.create_account("LATER")

    assert created.account is not None
    assert code_of(await caller.place(account=created.account.id)) is ReasonCode.TRADING_HALTED
    assert await caller.world.rows(
        "SELECT DISTINCT trading FROM ledger.lanes WHERE account_id = $1", created.account.id
    ) == [{"trading": "HALTED"}]


async def test_halt_outlives_the_router(open_router: OpenRouter, database_url: str, nats_url: str) -> None:
    from vyomo_order_router.bootstrap import order_router  # noqa: PLC0415
    from vyomo_order_router.settings import OrderRouterSettings  # noqa: PLC0415

    async with open_router() as caller:
        await caller.kill(TradingState.HALTED)
        settings = OrderRouterSettings.model_validate({"nats_url": nats_url, "postgres_url": database_url})
        async with order_router(settings):
            # Two routers now, one of which was never told; either may answer.
            replies = [await caller.place() for _ in range(12)]

    assert {code_of(reply) for reply in replies} == {ReasonCode.TRADING_HALTED}


@pytest.mark.parametrize(
    "switch",
    [
        {"scope": "global", "scope_id": "1"},
        {"scope": "broker", "scope_id": "nosuch"},
        {"scope": "account", "scope_id": "x"},
    ],
)
async def test_switch_that_names_nothing_is_refused(caller: Caller, switch: dict[str, Any]) -> None:
    reply = await caller.kill(TradingState.HALTED, **switch)

    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.field) == (ReasonCode.INVALID_FIELD, "id")


async def test_foreign_account_cannot_be_switched(caller: Caller) -> None:
    reply = await caller.kill(
        TradingState.HALTED, scope="account", scope_id=str(caller.world.foreign_account)
    )

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.ACCOUNT_NOT_FOUND
    foreign = caller.command(account=caller.world.foreign_account, user=OTHER_USER)
    assert code_of((await caller.place_all(foreign))[0]) is None


async def test_switch_is_published_as_an_event(caller: Caller) -> None:
    await caller.kill(TradingState.HALTED, scope="broker", scope_id="paper")

    def decisions() -> list[RiskChanged]:
        return [
            event for heard in caller.world.heard for event in heard.items if isinstance(event, RiskChanged)
        ]

    await eventually(lambda: len(decisions()) == 1)
    decision = decisions()[0].decision
    assert (decision.type, decision.scope, decision.scope_id, decision.state, decision.actor) == (
        "risk.switched",
        "broker",
        "paper",
        TradingState.HALTED,
        "k",
    )


async def test_operator_halts_everyone_and_nobody_else_can_release_it(
    caller: Caller, database_url: str
) -> None:
    assert await switch_everyone(database_url, TradingState.HALTED, "exchange outage") == 3
    await caller.kill(TradingState.ACTIVE)

    foreign = caller.command(account=caller.world.foreign_account, user=OTHER_USER)
    replies = [await caller.place(), *await caller.place_all(foreign)]

    assert [code_of(reply) for reply in replies] == [ReasonCode.TRADING_HALTED] * 2
    view = (await caller.risk()).risk
    assert view is not None
    assert [control.reason for control in view.controls] == ["exchange outage"]


async def test_exit_all_closes_every_position_once(caller: Caller) -> None:
    await caller.hold(10)
    await caller.hold(-7, account=caller.world.second_account)
    await caller.hold(0, symbol="ONLYBSE", exchange="BSE")

    first = await caller.exit_all("panic")
    again = await caller.exit_all("panic")

    placed = [
        (exit_.account_id, exit_.order.transaction_type, exit_.order.order_type, exit_.order.quantity)
        for exit_ in first.exits
        if exit_.order is not None
    ]
    assert sorted(placed) == [
        (caller.account, "SELL", "MARKET", 10),
        (caller.world.second_account, "BUY", "MARKET", 7),
    ]
    assert again.exits == ()
    assert len(await caller.world.rows("SELECT 1 FROM ledger.broker_orders")) == 2
    events = [event for event in await caller.risk_events() if event["type"] == "risk.exit_all"]
    assert sorted(events[0]["order_ids"]) == sorted(
        exit_.order.order_id for exit_ in first.exits if exit_.order
    )


async def test_repeated_key_never_closes_a_position_that_was_opened_again(caller: Caller) -> None:
    await caller.hold(10)
    [exit_] = (await caller.exit_all("panic")).exits
    assert exit_.order is not None
    filled = {"filled_quantity": 10, "average_price": Decimal(250)}
    await caller.bring_to(exit_.order, OrderState.FILLED, **filled)
    await caller.hold(4)

    [repeated] = (await caller.exit_all("panic")).exits
    [closed] = (await caller.exit_all("another")).exits

    assert repeated.order is not None
    assert repeated.order.order_id == exit_.order.order_id
    assert closed.order is not None
    assert closed.order.quantity == 4


async def test_exit_all_leaves_to_open_orders_what_they_close(caller: Caller) -> None:
    await caller.hold(10)
    await caller.placed(transaction_type="SELL", quantity=4)

    [exit_] = (await caller.exit_all("panic")).exits

    assert exit_.quantity == 6


async def test_exit_all_leaves_delivered_shares_and_their_sale_alone(caller: Caller) -> None:
    for symbol in ("RELIANCE", "NIFTY"):
        await caller.world.rows(
            "INSERT INTO accounts.holdings (account_id, user_id, exchange, symbol, quantity, average_price, version, updated_at)"
            " VALUES ($1, 'asha', 'NSE', $2, 50, 200, 1, now())",
            caller.account,
            symbol,
        )
    await caller.hold(5, product="CNC")
    await caller.hold(-20, product="CNC", symbol="NIFTY")

    [exit_] = (await caller.exit_all("panic")).exits

    assert (exit_.symbol, exit_.quantity) == ("RELIANCE", 5)


async def test_position_above_the_freeze_quantity_is_closed_in_parts(caller: Caller) -> None:
    await caller.hold(3640, symbol="NIFTYFUT", exchange="NFO", product="NRML")

    exits = (await caller.exit_all("panic")).exits

    assert [exit_.quantity for exit_ in exits] == [1755, 1755, 130]
    assert all(exit_.problem is None for exit_ in exits)


async def test_exit_all_passes_while_reducing_and_is_denied_while_halted(caller: Caller) -> None:
    await caller.hold(10)
    await caller.kill(TradingState.HALTED)
    halted = (await caller.exit_all("first")).exits
    await caller.kill(TradingState.REDUCING)
    reducing = (await caller.exit_all("second")).exits

    assert [exit_.problem.code for exit_ in halted if exit_.problem] == [ReasonCode.TRADING_HALTED]
    assert [exit_.problem for exit_ in reducing] == [None]


async def test_loss_of_the_day_locks_the_account_until_midnight_and_nobody_can_release_it(
    caller: Caller,
) -> None:
    await caller.limit(caller.account, daily_loss_limit=100)
    await caller.hold(10, last_price=240)

    async def is_locked() -> bool:
        return await state_of(caller, caller.account) is TradingState.REDUCING

    await eventually(is_locked)
    await caller.kill(TradingState.ACTIVE)
    await caller.kill(TradingState.ACTIVE, scope="account", scope_id=str(caller.account))

    assert await is_locked()
    assert await state_of(caller, caller.world.second_account) is TradingState.ACTIVE
    assert code_of(await caller.place()) is ReasonCode.TRADING_REDUCING
    assert code_of(await caller.place(transaction_type="SELL")) is None
    view = (await caller.risk(caller.account)).risk
    assert view is not None
    [control] = view.controls
    assert (control.cause, control.until is not None) == (ControlCause.DAILY_LOSS, True)
    # The day ends.
    await caller.world.rows("UPDATE ledger.controls SET until = now() WHERE cause = 'DAILY_LOSS'")
    await caller.hold(0)
    await caller.world.rows("DELETE FROM accounts.positions")

    async def is_released() -> bool:
        return await state_of(caller, caller.account) is TradingState.ACTIVE

    await eventually(is_released)


async def test_three_unknown_outcomes_stop_new_exposure_until_they_are_settled(caller: Caller) -> None:
    orders = [await caller.bring_to(await caller.placed(), OrderState.SUBMITTING) for _ in range(3)]
    for order in orders:
        await caller.bring_to(order, OrderState.UNCONFIRMED)

    async def state() -> TradingState:
        return await state_of(caller, caller.account)

    async def is_open() -> bool:
        return await state() is TradingState.REDUCING

    async def is_closed() -> bool:
        return await state() is TradingState.ACTIVE

    await eventually(is_open)
    assert code_of(await caller.place()) is ReasonCode.TRADING_REDUCING
    await caller.bring_to(orders[0], OrderState.OPEN, broker_order_id="B1")
    await eventually(is_closed)
