"""A broker that answers nobody any more: the breaker of all its accounts, and the word to their owners."""

from typing import Any

from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, ControlCause, OrderState
from vyomo_ledger.testing import USER, create_account
from vyomo_ledger.writing import Step
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually


async def sent(caller: Caller, account: int) -> Order:
    """An order on its way to the broker."""
    world = caller.world
    order = world.order(account, broker=Broker.ZERODHA, order_id=world.identifiers.order_id("zerodha"))
    await world.ledger.accept([world.new(order)])
    now = world.clock.now()
    async with world.ledger.transaction() as transaction:
        current = (await transaction.lock([(account, order.order_id)]))[order.order_id]
        update = OrderUpdate(state=OrderState.SUBMITTING, at=now)
        transaction.step([Step(order=current, update=update, send_deadline=now)])
    return order


async def lanes_of(caller: Caller, broker: Broker) -> set[str]:
    rows = await caller.world.rows("SELECT DISTINCT trading FROM ledger.lanes WHERE broker = $1", broker)
    return {row["trading"] for row in rows}


async def alerts(caller: Caller) -> list[dict[str, Any]]:
    return await caller.world.rows(
        "SELECT account_id, code FROM ledger.alerts WHERE cleared_at IS NULL ORDER BY account_id"
    )


async def test_fifth_of_a_brokers_last_sends_unknown_stops_new_exposure_at_that_broker_alone(
    caller: Caller,
) -> None:
    accounts = [
        await create_account(
            caller.world.database, user_id="asha", client_id=f"Z{number}", broker=Broker.ZERODHA
        )
        for number in range(5)
    ]
    unknown = [await sent(caller, account) for account in accounts[:4]]
    for account in accounts:
        for _ in range(3):
            order = await sent(caller, account)
            await caller.bring_to(order, OrderState.ACKNOWLEDGED, broker_order_id=order.order_id)
    for order in unknown[:3]:
        await caller.bring_to(order, OrderState.UNCONFIRMED)
    before = await lanes_of(caller, Broker.ZERODHA)
    await caller.bring_to(unknown[3], OrderState.UNCONFIRMED)

    async def is_open() -> bool:
        return await lanes_of(caller, Broker.ZERODHA) == {"REDUCING"} and len(await alerts(caller)) == 4

    await eventually(is_open, timeout=15)
    assert before == {"ACTIVE"}
    assert await lanes_of(caller, Broker.PAPER) == {"ACTIVE"}
    assert await alerts(caller) == [
        {"account_id": account, "code": AlertCode.BREAKER_OPEN} for account in accounts[:4]
    ]

    for order in unknown:
        await caller.bring_to(order, OrderState.OPEN, broker_order_id=order.order_id)

    async def is_closed() -> bool:
        return await lanes_of(caller, Broker.ZERODHA) == {"ACTIVE"} and await alerts(caller) == []

    await eventually(is_closed, timeout=15)


async def test_index_of_what_was_sent_answers_the_breaker(caller: Caller) -> None:
    async with caller.world.database.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT state FROM ledger.broker_orders WHERE broker = 'zerodha' AND send_deadline IS NOT NULL"
            " ORDER BY send_deadline DESC LIMIT 20"
        )

    assert any("broker_orders_sent" in row[0] for row in plan)
    assert not any("Sort" in row[0] for row in plan)


async def test_positions_that_nothing_explains_stop_new_exposure_of_the_account_until_they_are(
    caller: Caller,
) -> None:
    rows = caller.world.rows
    account = caller.account
    await rows(
        "INSERT INTO ledger.alerts (account_id, user_id, broker, code, subject, message, raised_at)"
        " VALUES ($1, $2, 'paper', 'POSITION_DRIFT', 'NSE:TCS:MIS', 'the broker holds 7', now())",
        account,
        USER,
    )

    async def trading() -> set[str]:
        lanes = await rows("SELECT DISTINCT trading FROM ledger.lanes WHERE account_id = $1", account)
        return {row["trading"] for row in lanes}

    async def is_locked() -> bool:
        return await trading() == {"REDUCING"}

    await eventually(is_locked)
    reply = await caller.place()
    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.TRADING_REDUCING
    (control,) = await rows("SELECT cause, reason FROM ledger.controls WHERE state <> 'ACTIVE'")
    assert control["cause"] == ControlCause.DRIFT
    assert "the broker holds 7" in control["reason"]

    await rows("UPDATE ledger.alerts SET cleared_at = now()")

    async def is_released() -> bool:
        return await trading() == {"ACTIVE"}

    await eventually(is_released)
