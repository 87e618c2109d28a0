"""A paper worker on a real record, whose test plays the router."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Exchange, OrderType, PendingAction, TransactionType
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_ledger.testing import RecordWorld, record_world
from vyomo_ledger.writing import EventPublisher, Ledger, PendingChange
from vyomo_paper_exchange.adapters.catalogue import Listings
from vyomo_paper_exchange.adapters.store import VenueStore
from vyomo_paper_exchange.days import DayChange
from vyomo_paper_exchange.domain.margins import MarginRates
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.sessions import AlwaysOpen
from vyomo_paper_exchange.domain.working import RestingOrders
from vyomo_paper_exchange.doors.record import DoorRecord
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_paper_exchange.rounds import Rounds
from vyomo_paper_exchange.testing import NOON, StandingClock, before_a_move, listings_on
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.testing.databases import execute

PARTITIONS = 2
_MARKET_BUY: dict[str, Any] = {"order_type": OrderType.MARKET, "price": Decimal(0), "quantity": 10}


@dataclass
class Venue:
    """A worker on the record of `record`, which plays the router."""

    record: RecordWorld
    database: Database
    clock: StandingClock
    rounds: Rounds
    executor: PaperExecutor
    days: DayChange
    ledger: Ledger
    store: VenueStore
    resting: RestingOrders
    consumption: Consumption
    door_record: DoorRecord

    async def accept(self, account_id: int | None = None, **changes: Any) -> Order:
        new = self.record.new(self.record.order(account_id, **(_MARKET_BUY | changes)))
        await self.record.ledger.accept([new])
        return new.order

    async def execute(self, account_id: int | None = None, **changes: Any) -> Order:
        """Accept an order and run its lane."""
        order = await self.accept(account_id, **changes)
        await self.executor.run([order.account_id])
        return await self.record.stored(order.order_id)

    async def passive(self, ticks_above: int, **changes: Any) -> Order:
        """A limit order to sell RELIANCE above the last price, executed. The market is about to rise to it."""
        price = await self.last_price() + ticks_above * Decimal("0.10")
        side = TransactionType.SELL
        return await self.execute(order_type=OrderType.LIMIT, price=price, transaction_type=side, **changes)

    async def last_price(self) -> Decimal:
        mark = (await self.rounds.view([("NSE", "RELIANCE")])).mark(Exchange.NSE, "RELIANCE")
        assert mark is not None
        return mark.last_price

    async def database_rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows only a worker may see."""
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def ask(
        self, order: Order, action: PendingAction, changes: OrderModification | None = None
    ) -> Order:
        """As the router does: note what is asked for, and ring."""
        async with self.ledger.transaction() as transaction:
            locked = await transaction.lock([(order.account_id, order.order_id)])
            transaction.ask(PendingChange(locked[order.order_id], action, changes), self.clock.now())
        await self.executor.run([order.account_id])
        return await self.record.stored(order.order_id)

    async def until_traded(self, order: Order) -> Order:
        """Let the market run until the order, the only one that rests, has traded."""
        await self.until_rest(0)
        return await self.record.stored(order.order_id)

    async def until_rest(self, count: int) -> None:
        """Let the market run until only so many orders rest."""
        for _ in range(20_000):
            self.clock.move(milliseconds=250)
            await self.executor.match_resting()
            if len(self.resting) == count:
                return
        raise AssertionError("the market never came to the orders")

    async def another(self) -> "Venue":
        """A second worker on the same record, as after a restart or beside this one."""
        return await _worker(self.record, self.database, self.ledger, self.clock)


def make_unlimited(database_url: str, account_id: int) -> None:
    """Only for an account that has not traded yet."""
    execute(
        database_url,
        "UPDATE accounts.broker_accounts SET unlimited = true, initial_capital = NULL, balance = NULL, "
        f"margin_available = NULL WHERE id = {account_id}",
    )


@asynccontextmanager
async def venue_world(database_url: str, nats_url: str) -> AsyncGenerator[Venue]:
    """A worker that has begun its day; the price of RELIANCE is about to rise."""
    async with (
        record_world(database_url, nats_url, partitions=PARTITIONS) as record,
        open_database(database_url, role="vyomo_worker", application="paper", max_size=4) as database,
    ):
        publisher = EventPublisher(record.bus, database, record.clock, record.identifiers, source="paper")
        ledger = Ledger(database, publisher, partitions=PARTITIONS)
        async with publisher.running():
            rise = before_a_move(SeededMarket(1), listings_on(NOON.date())["NSE:RELIANCE"], Decimal("0.002"))
            made = await _worker(record, database, ledger, StandingClock(rise))
            await made.days.begin_day()
            yield made


async def _worker(record: RecordWorld, database: Database, ledger: Ledger, clock: StandingClock) -> Venue:
    store, market = VenueStore(), SeededMarket(1)
    listings = Listings(InstrumentDirectory(database, clock))
    async with database.connection() as connection:
        rates = MarginRates(await store.margin_rates(connection))
    rounds = Rounds(
        database=database,
        store=store,
        listings=listings,
        market=market,
        sessions=AlwaysOpen(),
        rates=rates,
        clock=clock,
    )
    resting, consumption, door_record = RestingOrders(), Consumption(), DoorRecord()
    executor = PaperExecutor(
        ledger=ledger,
        store=store,
        rounds=rounds,
        clock=clock,
        owns=lambda account_id: partition_of(account_id, PARTITIONS) < PARTITIONS,
        resting=resting,
        consumption=consumption,
        doors=door_record,
    )
    days = DayChange(database, executor, listings, market, clock)
    return Venue(
        record, database, clock, rounds, executor, days, ledger, store, resting, consumption, door_record
    )
