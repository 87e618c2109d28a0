import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.events import FundsChanged, OrderChanged, PositionChanged
from vyomo_contracts.lifecycle import Applied, Illegal, OrderUpdate
from vyomo_contracts.orders import Fill, Order, OrderModification
from vyomo_contracts.portfolio import Funds, Position
from vyomo_contracts.vocabulary import Broker, OrderState, PendingAction
from vyomo_ledger.testing import RecordWorld, record_world
from vyomo_ledger.writing import LostRaceError, PendingChange, Step
from vyomo_service_kit.testing import eventually


@pytest.fixture
async def worker(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    """The same world with an owner's rights: it may accept as the router does and fill as a worker does."""
    async with record_world(database_url, nats_url, role="vyomo") as opened:
        yield opened


async def accepted(world: RecordWorld, **changes: Any) -> Order:
    new = world.new(world.order(**changes))
    await world.ledger.accept([new])
    return new.order


def fill_of(world: RecordWorld, order: Order, quantity: int, price: str) -> Fill:
    return Fill(
        trade_id=f"{order.order_id}-1",
        order_id=order.order_id,
        account_id=order.account_id,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        transaction_type=order.transaction_type,
        quantity=quantity,
        price=Decimal(price),
        filled_at=world.clock.now(),
        basis="depth",
    )


async def test_filling_writes_row_event_fill_position_and_funds_in_one_commit(worker: RecordWorld) -> None:
    order = await accepted(worker)
    now = worker.clock.now()
    position = Position(
        account_id=worker.account,
        user_id="asha",
        broker=order.broker,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        quantity=10,
        average_price=Decimal("250.25"),
        buy_quantity=10,
        buy_value=Decimal("2502.5"),
        version=1,
        updated_at=now,
    )
    funds = Funds(
        account_id=worker.account,
        user_id="asha",
        broker=order.broker,
        balance=Decimal(100000),
        used=Decimal("500.5"),
        available=Decimal("99499.5"),
        version=1,
        updated_at=now,
    )

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)
        update = OrderUpdate(
            state=OrderState.FILLED, at=now, filled_quantity=10, average_price=Decimal("250.25")
        )
        [result] = transaction.step(
            [Step(order=claimed.orders[0], update=update, fills=(fill_of(worker, order, 10, "250.25"),))]
        )
        transaction.save_positions([position])
        transaction.save_funds([funds])

    assert isinstance(result, Applied)
    stored = await worker.stored(order.order_id)
    assert (stored.state, stored.version, stored.average_price) == (OrderState.FILLED, 2, Decimal("250.25"))
    assert await worker.rows("SELECT quantity FROM ledger.fills") == [{"quantity": 10}]
    [row] = await worker.rows("SELECT quantity, version FROM accounts.positions")
    assert row == {"quantity": 10, "version": 1}
    [row] = await worker.rows(
        "SELECT margin_used, funds_version FROM accounts.broker_accounts WHERE id = $1", worker.account
    )
    assert row == {"margin_used": Decimal("500.5"), "funds_version": 1}

    async def all_heard() -> bool:
        return len(worker.heard) == 2

    await eventually(all_heard)
    kinds = [type(event) for event in worker.heard[1].items]
    assert kinds == [OrderChanged, PositionChanged, FundsChanged]


async def test_exception_inside_undoes_everything(worker: RecordWorld) -> None:
    order = await accepted(worker)

    async def fail_after_deciding() -> None:
        async with worker.ledger.transaction() as transaction:
            claimed = await transaction.claim([worker.account], per_account=10)
            update = OrderUpdate(state=OrderState.SUBMITTING, at=worker.clock.now())
            transaction.step([Step(order=claimed.orders[0], update=update)])
            raise RuntimeError("venue")

    with pytest.raises(RuntimeError, match="venue"):
        await fail_after_deciding()

    assert (await worker.stored(order.order_id)).state is OrderState.NEW


async def test_claim_gives_orders_oldest_first_per_account(worker: RecordWorld) -> None:
    orders = [await accepted(worker) for _ in range(5)]

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account, worker.second_account], per_account=10)

    assert [order.order_id for order in claimed.orders] == [order.order_id for order in orders]


async def test_two_claimers_never_share_an_order(worker: RecordWorld) -> None:
    for _ in range(10):
        await accepted(worker)
    taken: list[str] = []

    async def take() -> None:
        for _ in range(5):
            async with worker.ledger.transaction() as transaction:
                claimed = await transaction.claim([worker.account], per_account=2)
                update = OrderUpdate(state=OrderState.SUBMITTING, at=worker.clock.now())
                transaction.step([Step(order=order, update=update) for order in claimed.orders])
                taken.extend(order.order_id for order in claimed.orders)

    await asyncio.gather(take(), take(), take())

    assert len(taken) == len(set(taken)) == 10
    # Time-ordered ids: the order of claiming is the order of acceptance.
    assert taken == sorted(taken)


async def test_ask_and_claim_of_a_modification_round_trips_its_parameters(worker: RecordWorld) -> None:
    order = await accepted(worker)
    changes = OrderModification(price=Decimal("251.05"), quantity=20)
    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=1)
        transaction.step(
            [Step(order=claimed.orders[0], update=OrderUpdate(state=OrderState.OPEN, at=worker.clock.now()))]
        )
    async with worker.ledger.transaction() as transaction:
        current = (await transaction.lock([(worker.account, order.order_id)]))[order.order_id]
        change = PendingChange(order=current, action=PendingAction.MODIFY, modification=changes)
        transaction.ask(change, worker.clock.now())

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)
        [asked] = claimed.actions
        update = OrderUpdate(
            state=OrderState.OPEN,
            at=worker.clock.now(),
            modified=changes.model_dump(exclude_none=True),
            clears_pending_action=True,
        )
        transaction.step([Step(order=asked.order, update=update)])

    assert asked.modification == changes
    stored = await worker.stored(order.order_id)
    assert (stored.price, stored.quantity, stored.pending_action) == (Decimal("251.05"), 20, None)
    types = await worker.rows("SELECT type FROM ledger.order_events ORDER BY version")
    assert [row["type"] for row in types] == [
        "order.accepted",
        "order.open",
        "order.modify_requested",
        "order.modified",
    ]


async def test_write_without_lock_loses_the_race_and_changes_nothing(worker: RecordWorld) -> None:
    order = await accepted(worker)
    stale = replace(
        Step(order=order, update=OrderUpdate(state=OrderState.SUBMITTING, at=worker.clock.now())),
        order=order.model_copy(update={"version": 7}),
    )

    async def write() -> None:
        async with worker.ledger.transaction() as transaction:
            transaction.step([stale])

    with pytest.raises(LostRaceError):
        await write()

    assert len(await worker.rows("SELECT 1 FROM ledger.order_events")) == 1


async def test_illegal_update_is_told_and_not_written(worker: RecordWorld) -> None:
    order = await accepted(worker)

    async with worker.ledger.transaction() as transaction:
        current = (await transaction.lock([(worker.account, order.order_id)]))[order.order_id]
        update = OrderUpdate(state=OrderState.OPEN, at=worker.clock.now(), filled_quantity=11)
        [result] = transaction.step([Step(order=current, update=update)])

    assert isinstance(result, Illegal)
    assert (await worker.stored(order.order_id)).version == 1


async def test_order_events_can_only_be_appended(database_url: str, world: RecordWorld) -> None:
    await accepted(world)
    async with world.database.connection() as connection:
        for statement in (
            "UPDATE ledger.order_events SET version = 2",
            "DELETE FROM ledger.order_events",
            "TRUNCATE ledger.order_events",
        ):
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute(statement)


async def test_router_may_ask_for_changes_though_it_may_not_write_positions(world: RecordWorld) -> None:
    order = await accepted(world)

    async with world.ledger.transaction() as transaction:
        current = (await transaction.lock([(world.account, order.order_id)]))[order.order_id]
        transaction.ask(PendingChange(order=current, action=PendingAction.CANCEL), world.clock.now())

    assert (await world.stored(order.order_id)).pending_action is PendingAction.CANCEL


async def test_order_that_expired_unsent_is_never_claimed(worker: RecordWorld) -> None:
    old = await accepted(worker, expires_at=worker.clock.now() - timedelta(minutes=10))
    fresh = await accepted(worker)

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account], per_account=10)

    assert [order.order_id for order in claimed.orders] == [fresh.order_id]
    assert (await worker.stored(old.order_id)).state is OrderState.NEW


async def test_claim_takes_each_accounts_own_share(worker: RecordWorld) -> None:
    for _ in range(5):
        await accepted(worker)
    other = await accepted(worker, account_id=worker.second_account)

    async with worker.ledger.transaction() as transaction:
        claimed = await transaction.claim([worker.account, worker.second_account], per_account=2)

    assert [order.account_id for order in claimed.orders].count(worker.account) == 2
    assert other.order_id in {order.order_id for order in claimed.orders}


async def test_funds_of_an_unlimited_account_arrive_readable(worker: RecordWorld) -> None:
    funds = Funds(
        account_id=worker.account,
        user_id="asha",
        broker=Broker.PAPER,
        used=Decimal(0),
        version=1,
        updated_at=worker.clock.now(),
    )

    async with worker.ledger.transaction() as transaction:
        transaction.save_funds([funds])

    await eventually(lambda: bool(worker.heard))
    assert worker.heard[0].items == (FundsChanged(funds=funds),)
