import asyncio
from decimal import Decimal

import pytest

from vyomo_contracts.commands import AccountReply
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.testing import OTHER_USER
from vyomo_order_router.testing import Caller


def code_of(reply: AccountReply) -> ReasonCode | None:
    return None if reply.problem is None else reply.problem.code


async def test_account_is_created_with_its_lanes_and_takes_orders_at_once(caller: Caller) -> None:
    reply = await caller.create_account("DEMO", initial_capital=Decimal(50_000))

    assert reply.account is not None
    assert (reply.account.is_active, reply.account.funds.balance, reply.account.funds.available) == (
        True,
        Decimal(50_000),
        Decimal(50_000),
    )
    placed = await caller.place(account=reply.account.id)
    assert placed.order is not None


async def test_unlimited_paper_account_has_no_balance(caller: Caller) -> None:
    reply = await caller.create_account("DEMO", initial_capital=None)

    assert reply.account is not None
    assert (reply.account.unlimited, reply.account.funds.balance) == (True, None)


async def test_capital_of_a_real_broker_is_the_brokers_to_tell(caller: Caller) -> None:
    reply = await caller.create_account("AB1234", broker=Broker.ZERODHA, initial_capital=Decimal(5))

    assert reply.account is not None
    assert (reply.account.unlimited, reply.account.funds.balance) == (False, None)


async def test_second_account_of_one_client_id_is_refused_for_the_same_user_and_broker_only(
    caller: Caller,
) -> None:
    await caller.create_account("DEMO")

    again = await caller.create_account("DEMO")
    of_another_broker = await caller.create_account("DEMO", broker=Broker.ANGEL)
    of_another_user = await caller.create_account("DEMO", user=OTHER_USER)

    assert code_of(again) is ReasonCode.ACCOUNT_EXISTS
    assert code_of(of_another_broker) is code_of(of_another_user) is None


async def test_racing_creations_of_one_account_make_one(caller: Caller) -> None:
    replies = await asyncio.gather(*(caller.create_account("DEMO") for _ in range(8)))

    assert sorted(str(code_of(reply)) for reply in replies) == ["ACCOUNT_EXISTS"] * 7 + ["None"]


async def test_inactive_account_takes_no_orders_until_it_is_active_again(caller: Caller) -> None:
    switched = await caller.switch(caller.account, active=False)

    refused = await caller.place()

    assert switched.account is not None
    assert switched.account.is_active is False
    assert refused.problem is not None
    assert refused.problem.code is ReasonCode.ACCOUNT_INACTIVE
    await caller.switch(caller.account, active=True)
    assert (await caller.place()).order is not None


async def test_account_with_open_orders_stays_active(caller: Caller) -> None:
    order = await caller.placed()

    refused = await caller.switch(caller.account, active=False)
    await caller.cancel(order)
    accepted = await caller.switch(caller.account, active=False)

    assert code_of(refused) is ReasonCode.ACCOUNT_HAS_OPEN_ORDERS
    assert refused.problem is not None
    assert refused.problem.field == "accountId"
    assert refused.problem.detail == {"openOrders": 1}
    assert code_of(accepted) is None


@pytest.mark.parametrize("attempt", range(5))
async def test_order_and_deactivation_in_the_same_moment_never_leave_an_open_order_on_an_inactive_account(
    caller: Caller, attempt: int
) -> None:
    placed, switched = await asyncio.gather(
        asyncio.gather(*(caller.place() for _ in range(5))), caller.switch(caller.account, active=False)
    )

    [account] = await caller.world.rows(
        "SELECT is_active FROM accounts.broker_accounts WHERE id = $1", caller.account
    )
    open_orders = [reply for reply in placed if reply.order and reply.order.state is OrderState.NEW]
    assert account["is_active"] is (code_of(switched) is ReasonCode.ACCOUNT_HAS_OPEN_ORDERS)
    assert account["is_active"] is bool(open_orders)


async def test_foreign_account_cannot_be_switched(caller: Caller) -> None:
    reply = await caller.switch(caller.world.foreign_account, active=False)

    assert code_of(reply) is ReasonCode.ACCOUNT_NOT_FOUND
    [row] = await caller.world.rows(
        "SELECT is_active FROM accounts.broker_accounts WHERE id = $1", caller.world.foreign_account
    )
    assert row["is_active"] is True
