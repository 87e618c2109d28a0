"""Door orders of a paper account in Vyomo's record: labelled, followed, cancelled from there."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import OrderState, OrderType, Origin, PendingAction, TransactionType
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_paper_exchange.doors.orders import DoorAccount, Placed
from vyomo_paper_exchange.doors.reconciling import DoorReconciler
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_paper_exchange.testing.doors import door_venue, make_sandbox, new_order
from vyomo_paper_exchange.testing.venue import Venue
from vyomo_service_kit.testing import eventually


@pytest.fixture
async def doors(venue: Venue) -> AsyncGenerator[DoorVenue]:
    async with door_venue(venue) as opened:
        yield opened


@pytest.fixture
def reconciler(venue: Venue) -> DoorReconciler:
    return DoorReconciler(venue.ledger, venue.door_record, venue.clock)


def account(venue: Venue) -> DoorAccount:
    return DoorAccount(account_id=venue.record.account, user_id="asha", client_id="P1", is_linked=True)


async def place(venue: Venue, doors: DoorVenue, **changes: Any) -> Placed:
    return await doors.desk.place(account(venue), "kite", new_order(**changes))


async def sell_above(venue: Venue, doors: DoorVenue, ticks: int = 5) -> Placed:
    price = await venue.last_price() + ticks * Decimal("0.10")
    terms = {"order_type": OrderType.LIMIT, "transaction_type": TransactionType.SELL, "price": price}
    return await place(venue, doors, **terms)


async def recorded(venue: Venue) -> list[Order]:
    rows = await venue.record.rows(f"SELECT {ORDER_COLUMNS} FROM ledger.broker_orders ORDER BY id")
    return [order_of(row) for row in rows]


async def test_door_order_is_adopted_as_placed_elsewhere_with_its_fills(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler
) -> None:
    placed = await place(venue, doors, tag="bot1")

    await reconciler.merge(venue.record.account)
    await reconciler.merge(venue.record.account)
    await DoorReconciler(venue.ledger, venue.door_record, venue.clock).merge(venue.record.account)

    (order,) = await recorded(venue)
    assert (order.origin, order.state, order.tag) == (Origin.EXTERNAL, OrderState.FILLED, "bot1")
    assert order.broker_order_id == placed.order.filing.order_id
    (fill,) = await venue.record.rows("SELECT * FROM ledger.fills")
    assert (fill["quantity"], fill["basis"], fill["order_id"]) == (10, "trade_book", order.order_id)
    (position,) = await venue.record.rows("SELECT quantity FROM accounts.positions")
    assert position["quantity"] == 10


async def test_resting_order_is_followed_to_its_end(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler
) -> None:
    async with reconciler.running():
        await sell_above(venue, doors)

        async def is_open() -> bool:
            return [each.state for each in await recorded(venue)] == [OrderState.OPEN]

        await eventually(is_open)
        await venue.until_rest(0)

        async def is_filled() -> bool:
            return [each.state for each in await recorded(venue)] == [OrderState.FILLED]

        await eventually(is_filled)
    fills = await venue.record.rows("SELECT quantity FROM ledger.fills")
    assert sum(each["quantity"] for each in fills) == 10


async def test_what_happened_while_nobody_looked_is_read_at_the_start(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler
) -> None:
    await sell_above(venue, doors, 50)
    await place(venue, doors)

    async with reconciler.running():

        async def both() -> bool:
            return [each.state for each in await recorded(venue)] == [OrderState.OPEN, OrderState.FILLED]

        await eventually(both)


async def test_order_of_a_door_is_modified_and_cancelled_from_the_record(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler
) -> None:
    placed = await sell_above(venue, doors, 50)
    await reconciler.merge(venue.record.account)
    (order,) = await recorded(venue)

    changed = await venue.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))
    assert changed.pending_action is None
    await reconciler.merge(venue.record.account)
    (order,) = await recorded(venue)
    assert (order.quantity, order.state) == (20, OrderState.OPEN)
    await venue.ask(order, PendingAction.CANCEL)
    await reconciler.merge(venue.record.account)

    (order,) = await recorded(venue)
    assert order.state is OrderState.CANCELLED
    assert len(venue.resting) == 0
    shown = await doors.books.order(account(venue), placed.order.filing.order_id)
    assert shown is not None
    assert shown.working.state is OrderState.CANCELLED


async def test_fills_before_a_cancellation_are_not_lost(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler
) -> None:
    placed = await sell_above(venue, doors, 5)
    await reconciler.merge(venue.record.account)
    (order,) = await recorded(venue)
    await venue.until_rest(0)  # and nobody has told the record

    await venue.ask(order, PendingAction.CANCEL)
    await reconciler.merge(venue.record.account)

    (order,) = await recorded(venue)
    assert (order.state, order.filled_quantity) == (OrderState.FILLED, placed.order.working.quantity)
    fills = await venue.record.rows("SELECT quantity FROM ledger.fills")
    assert sum(each["quantity"] for each in fills) == order.filled_quantity


async def test_sandbox_accounts_are_left_to_their_brokers_worker(
    venue: Venue, doors: DoorVenue, reconciler: DoorReconciler, database_url: str
) -> None:
    make_sandbox(database_url, venue.record.account)
    await place(venue, doors)

    await reconciler.merge(venue.record.account)

    assert await recorded(venue) == []
