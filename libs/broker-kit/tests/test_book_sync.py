"""What the broker's book may change, and whose book is read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from vyomo_broker_kit.book_sync import OPEN_ACCOUNTS, BookSync
from vyomo_broker_kit.outcomes import Outcome
from vyomo_broker_kit.port import BookEntry, BrokerPort, FundsEntry, PositionEntry, TradeEntry
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker, OrderState, PendingAction
from vyomo_ledger.testing import create_account
from vyomo_ledger.writing import Step
from vyomo_service_kit.testing import eventually


@dataclass
class SlowBook:
    """A port whose next book is read at once and handed over when the test says so."""

    port: BrokerPort
    reads: list[int] = field(default_factory=list[int])
    is_held: bool = False
    was_read: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        return await self.port.place(order, urgent=urgent)

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        return await self.port.modify(order, changes)

    async def cancel(self, order: Order) -> Outcome:
        return await self.port.cancel(order)

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        self.reads.append(account_id)
        entries = await self.port.order_book(account_id)
        if self.is_held:
            self.was_read.set()
            await self.released.wait()
        return entries

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        return await self.port.trades(account_id)

    async def positions(self, account_id: int) -> Sequence[PositionEntry]:
        return await self.port.positions(account_id)

    async def funds(self, account_id: int) -> FundsEntry:
        return await self.port.funds(account_id)


async def test_book_that_was_read_before_a_modification_does_not_undo_it(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    books: list[SlowBook] = []
    async with floor.working(through=lambda port: books.append(SlowBook(port)) or books[0]):
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        books[0].is_held = True
        await asyncio.wait_for(books[0].was_read.wait(), 5)
        await floor.ask(order, PendingAction.MODIFY, OrderModification(quantity=20))

        async def modified() -> bool:
            return (await floor.world.stored(order.order_id)).quantity == 20

        await eventually(modified)
        books[0].is_held = False
        seen = len(books[0].reads)
        books[0].released.set()
        await eventually(lambda: len(books[0].reads) >= seen + 2)

    assert (await floor.event_types(order)).count("order.modified") == 1
    assert (await floor.world.stored(order.order_id)).quantity == 20


async def test_books_of_accounts_that_another_process_serves_are_not_read(floor: Floor) -> None:
    other = await create_account(floor.world.database, user_id="asha", client_id="Z2", broker=Broker.ZERODHA)
    for account_id in (floor.account, other):
        order = floor.world.order(account_id, broker=Broker.ZERODHA)
        await floor.world.ledger.accept([floor.world.new(order)])
        async with floor.world.ledger.transaction() as transaction:
            update = OrderUpdate(state=OrderState.OPEN, at=floor.world.clock.now(), broker_order_id="B1")
            transaction.step([Step(order=order, update=update)])
    ports: list[BrokerPort] = []
    async with floor.working(through=lambda port: ports.append(port) or port):
        mine = SlowBook(ports[0])
        book = BookSync(
            floor.world.ledger,
            mine,
            floor.world.clock,
            broker=Broker.ZERODHA,
            partitions=2,
            owned=frozenset({partition_of(other, 2)}),
        )
        async with book.running():
            await eventually(lambda: len(mine.reads) >= 2)

    assert set(mine.reads) == {other}


async def test_working_orders_are_found_by_their_own_small_index(floor: Floor) -> None:
    async with floor.world.database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute(f"PREPARE working (text) AS {OPEN_ACCOUNTS}")
        plan = await connection.fetch("EXPLAIN EXECUTE working('zerodha')")
        await connection.execute("DEALLOCATE working")

    assert any("broker_orders_working" in line["QUERY PLAN"] for line in plan)
