"""What reconciling with a broker writes: alerts, adopted orders, real trades in the place of derived fills."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from decimal import Decimal

import pytest
from asyncpg.exceptions import InsufficientPrivilegeError

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.events import AlertRaised, OrderChanged
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.vocabulary import Broker, OrderState, Origin, PendingAction
from vyomo_ledger.testing import RecordWorld, create_account, record_world
from vyomo_ledger.writing import (
    Adoption,
    Claimed,
    Ledger,
    PendingChange,
    Step,
    clear_alert,
    end_session,
    lock_sessions,
    raise_alert,
)
from vyomo_service_kit.database import open_database
from vyomo_service_kit.testing import eventually


@pytest.fixture
async def worker(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    """A record whose ledger acts as a worker does; accepting is not its business."""
    async with (
        record_world(database_url, nats_url, role="vyomo") as world,
        open_database(database_url, role="vyomo_worker", application="worker") as workers,
    ):
        world.account = await create_account(
            world.database, user_id="asha", client_id="Z1", broker=Broker.ZERODHA
        )
        world.ledger = Ledger(workers, world.publisher, partitions=2)
        yield world


def alert(world: RecordWorld, subject: str = "T1") -> Alert:
    return Alert(
        account_id=world.account,
        user_id="asha",
        broker=Broker.ZERODHA,
        code=AlertCode.TAG_USED_TWICE,
        subject=subject,
        message="two orders",
        raised_at=world.clock.now(),
    )


def external(world: RecordWorld, number: int = 1, **changes: object) -> Order:
    order = world.order(
        world.account,
        broker=Broker.ZERODHA,
        order_id=f"ZERODHA_X{number}",
        broker_tag=f"X{number}",
        broker_order_id=f"B{number}",
        state=OrderState.OPEN,
        origin=Origin.EXTERNAL,
    )
    return order.model_copy(update=changes)


def fill(order: Order, trade_id: str, quantity: int, basis: str = "derived") -> Fill:
    return Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account_id=order.account_id,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        transaction_type=order.transaction_type,
        quantity=quantity,
        price=Decimal(100),
        filled_at=order.created_at,
        basis=basis,
    )


async def test_alert_stands_once_until_it_is_cleared(worker: RecordWorld) -> None:
    raised: list[bool] = []
    for _ in range(2):
        async with worker.ledger.transaction() as transaction:
            raised.append(await raise_alert(transaction, alert(worker)))
    async with worker.ledger.database.connection() as connection:
        await clear_alert(connection, worker.account, AlertCode.TAG_USED_TWICE, "T1")
    async with worker.ledger.transaction() as transaction:
        raised.append(await raise_alert(transaction, alert(worker)))

    assert raised == [True, False, True]
    await eventually(lambda: len(worker.heard) == 2)
    assert all(isinstance(envelope.items[0], AlertRaised) for envelope in worker.heard)

    async def outbox_is_empty() -> bool:
        return await worker.rows("SELECT 1 FROM ledger.outbox") == []

    await eventually(outbox_is_empty)


async def test_alert_of_a_transaction_that_fails_is_neither_recorded_nor_told(worker: RecordWorld) -> None:
    async def fail() -> None:
        async with worker.ledger.transaction() as transaction:
            await raise_alert(transaction, alert(worker))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await worker.rows("SELECT * FROM ledger.alerts") == []
    assert worker.heard == []


async def test_adopting_twice_is_adopting_once_and_numbers_go_on(worker: RecordWorld) -> None:
    first, second = external(worker, 1), external(worker, 2, state=OrderState.FILLED, filled_quantity=10)
    adoptions = [Adoption(first), Adoption(second, (fill(second, "B2-T1", 10, "trade_book"),))]

    adopted = [await worker.ledger.adopt(worker.account, adoptions) for _ in range(2)]
    stored = [await worker.stored(order.order_id) for order in (first, second)]

    assert [[order.order_id for order in each] for each in adopted] == [["ZERODHA_X1", "ZERODHA_X2"], []]
    assert [(order.state, order.origin, order.broker_order_id) for order in stored] == [
        (OrderState.OPEN, Origin.EXTERNAL, "B1"),
        (OrderState.FILLED, Origin.EXTERNAL, "B2"),
    ]
    events = await worker.rows("SELECT order_id, version, type FROM ledger.order_events ORDER BY order_id")
    assert [(row["version"], row["type"]) for row in events] == [(1, "order.adopted")] * 2
    assert [row["trade_id"] for row in await worker.rows("SELECT trade_id FROM ledger.fills")] == ["B2-T1"]
    await eventually(lambda: bool(worker.heard))
    assert [type(item) for item in worker.heard[0].items] == [OrderChanged] * 2


async def test_adopted_order_is_never_claimed(worker: RecordWorld) -> None:
    await worker.ledger.adopt(worker.account, [Adoption(external(worker))])

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)

    assert (claimed.orders, claimed.actions, claimed.at) == ([], [], None)


async def test_account_that_takes_no_orders_still_adopts(worker: RecordWorld) -> None:
    async with worker.database.connection() as connection:
        await connection.execute("UPDATE ledger.lanes SET accepting = false")

    assert len(await worker.ledger.adopt(worker.account, [Adoption(external(worker))])) == 1


async def test_real_trades_take_the_place_of_derived_fills_and_say_so(worker: RecordWorld) -> None:
    order = external(worker)
    await worker.ledger.adopt(worker.account, [Adoption(order)])
    async with worker.ledger.transaction() as transaction:
        update = OrderUpdate(
            state=OrderState.FILLED,
            at=worker.clock.now(),
            filled_quantity=10,
            average_price=Decimal(100),
        )
        transaction.step([Step(order=order, update=update, fills=(fill(order, "d1", 10),))])
    async with worker.ledger.transaction() as transaction:
        filled = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
        trades = (fill(order, "B1-T1", 4, "trade_book"), fill(order, "B1-T2", 6, "trade_book"))
        same = OrderUpdate(state=filled.state, at=worker.clock.now())
        transaction.refill(Step(order=filled, update=same, fills=trades, superseded_fills=("d1",)))

    rows = await worker.rows("SELECT trade_id FROM ledger.fills ORDER BY id")
    assert [row["trade_id"] for row in rows] == ["B1-T1", "B1-T2"]
    await eventually(lambda: len(worker.heard) == 3)
    told = worker.heard[-1].items[0]
    assert isinstance(told, OrderChanged)
    assert told.superseded_fills == ("d1",)
    assert (told.order.version, told.order.state) == (3, OrderState.FILLED)


async def test_only_derived_fills_can_be_deleted(worker: RecordWorld) -> None:
    order = external(worker, state=OrderState.FILLED, filled_quantity=10)
    await worker.ledger.adopt(worker.account, [Adoption(order, (fill(order, "B1-T1", 10, "trade_book"),))])

    async with worker.ledger.database.connection() as connection:
        assert await connection.execute("DELETE FROM ledger.fills") == "DELETE 0"
    async with worker.database.transaction() as connection:
        await connection.execute("SET LOCAL ROLE vyomo_router")
        with pytest.raises(InsufficientPrivilegeError):
            await connection.execute("DELETE FROM ledger.fills")


async def test_claim_tells_the_records_own_time(worker: RecordWorld) -> None:
    order = worker.order(worker.account, broker=Broker.ZERODHA)
    await Ledger(worker.database, worker.publisher, partitions=2).accept([worker.new(order)])

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)

    assert claimed.at is not None
    assert abs(claimed.at - worker.clock.now()) < timedelta(seconds=5)


async def test_claim_that_waited_for_the_end_of_a_session_sends_nothing(worker: RecordWorld) -> None:
    order = worker.order(worker.account, broker=Broker.ZERODHA)
    await Ledger(worker.database, worker.publisher, partitions=2).accept([worker.new(order)])
    waiting: asyncio.Task[Claimed] | None = None

    async def claim() -> Claimed:
        async with worker.ledger.transaction() as transaction:
            return await transaction.claim([worker.account], per_account=10)

    assert [each.order_id for each in (await claim()).orders] == [order.order_id]
    async with worker.ledger.transaction() as transaction:
        await lock_sessions(transaction, [worker.account])
        waiting = asyncio.create_task(claim())
        await asyncio.sleep(0.3)  # its snapshot still shows the session, its lock must not
        assert not waiting.done()
        await end_session(transaction, worker.account, reason="refused", at=worker.clock.now())

    assert (await waiting).orders == []


async def test_change_is_told_also_without_a_session(worker: RecordWorld) -> None:
    order = external(worker)
    await worker.ledger.adopt(worker.account, [Adoption(order)])
    async with worker.ledger.transaction() as transaction:
        await lock_sessions(transaction, [worker.account])
        await end_session(transaction, worker.account, reason="refused", at=worker.clock.now())
    async with worker.ledger.transaction() as transaction:
        locked = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
        transaction.ask(PendingChange(order=locked, action=PendingAction.CANCEL), worker.clock.now())

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)

    (change,) = claimed.actions
    assert claimed.without_session == {worker.account}
    assert change.asked_at is not None
