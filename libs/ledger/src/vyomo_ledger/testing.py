"""Helpers for tests that need a record with accounts in it. Real PostgreSQL, real NATS."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from vyomo_contracts import subjects
from vyomo_contracts.events import BrokerEvents
from vyomo_contracts.orders import Order
from vyomo_contracts.topology import SYNC_CONSUMER, worker_consumers
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
    Validity,
)
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.writing import EventPublisher, Ledger, NewOrder
from vyomo_service_kit.bus import Bus, BusUnavailableError, declare_topology
from vyomo_service_kit.clock import Clock, SystemClock
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers

USER = "asha"
OTHER_USER = "bela"


def valid_order(
    *, order_id: str, account_id: int, user_id: str, broker_tag: str, now: datetime, **changes: Any
) -> Order:
    """A NEW paper order to buy ten RELIANCE at 250.50, which expires half a minute after `now`."""
    order = Order(
        order_id=order_id,
        account_id=account_id,
        user_id=user_id,
        broker=Broker.PAPER,
        symbol="RELIANCE",
        exchange=Exchange.NSE,
        transaction_type=TransactionType.BUY,
        order_type=OrderType.LIMIT,
        quantity=10,
        price=Decimal("250.50"),
        product=Product.MIS,
        validity=Validity.DAY,
        state=OrderState.NEW,
        version=1,
        broker_tag=broker_tag,
        created_at=now,
        updated_at=now,
        expires_at=now + timedelta(seconds=30),
    )
    return order.model_copy(update=changes)


class NoBus(Bus):
    """Nothing can be published, so the outbox keeps all that should have been."""

    def __init__(self) -> None:
        return

    async def store(self, subject: str, payload: bytes, *, message_id: str) -> None:  # noqa: ARG002
        raise BusUnavailableError(subject, "no bus in this test")


@dataclass
class RecordWorld:
    database: Database
    bus: Bus
    publisher: EventPublisher
    ledger: Ledger
    clock: Clock
    identifiers: TimeOrderedIdentifiers
    account: int
    second_account: int
    foreign_account: int
    heard: list[BrokerEvents] = field(default_factory=list[BrokerEvents])

    def order(self, account_id: int | None = None, *, user_id: str = USER, **changes: Any) -> Order:
        """A valid NEW order of the first account."""
        order = valid_order(
            order_id=self.identifiers.order_id("paper"),
            account_id=self.account if account_id is None else account_id,
            user_id=user_id,
            broker_tag=self.identifiers.broker_tag(),
            now=self.clock.now(),
        )
        return order.model_copy(update=changes)

    def new(self, order: Order | None = None, *, key: str | None = None, body: str = "a") -> NewOrder:
        return NewOrder(order or self.order(), key or self.identifiers.message_id(), body * 64)

    async def stored(self, order_id: str) -> Order:
        async with self.database.connection() as connection:
            row = await connection.fetchrow(
                f"SELECT {ORDER_COLUMNS} FROM ledger.broker_orders WHERE order_id = $1", order_id
            )
        assert row is not None
        return order_of(row)

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]


async def create_account(
    database: Database, *, user_id: str, client_id: str, broker: Broker = Broker.PAPER, signed_in: bool = True
) -> int:
    """With a broker session that lasts as long as any test, where the broker has sessions and unless it is not to be signed in."""
    async with database.transaction() as connection:
        account_id: int | None = await connection.fetchval(
            "INSERT INTO accounts.broker_accounts (user_id, broker, client_id, balance, margin_available, initial_capital)"
            " VALUES ($1, $2, $3, 100000, 100000, 100000) RETURNING id",
            user_id,
            broker,
            client_id,
        )
        await connection.execute(
            "INSERT INTO ledger.lanes (account_id, lane, user_id, broker)"
            " SELECT $1, lane, $2, $3 FROM unnest(ARRAY['ACCEPT', 'CLAIM']) AS lane",
            account_id,
            user_id,
            broker,
        )
        if broker is not Broker.PAPER and signed_in:
            await connection.execute(
                "SET LOCAL ROLE vyomo_worker"
            )  # sessions are theirs, whoever makes the account
            await connection.execute(
                "UPDATE ledger.lanes SET session_until = now() + interval '1 day' WHERE account_id = $1 AND lane = 'CLAIM'",
                account_id,
            )
            await connection.execute(
                "INSERT INTO accounts.broker_sessions (account_id, user_id, broker, state, valid_until, updated_at)"
                " VALUES ($1, $2, $3, 'ACTIVE', now() + interval '1 day', now())",
                account_id,
                user_id,
                broker,
            )
    assert account_id is not None
    return account_id


@asynccontextmanager
async def record_world(
    postgres_url: str,
    nats_url: str,
    *,
    role: str = "vyomo_router",
    partitions: int = 2,
    brokers: tuple[Broker, ...] = (Broker.PAPER,),
) -> AsyncGenerator[RecordWorld]:
    clock = SystemClock()
    identifiers = TimeOrderedIdentifiers(clock)
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await declare_topology(bus.stored, (*worker_consumers(brokers, partitions), SYNC_CONSUMER))
    async with (
        open_database(postgres_url, role=role, application="test", max_size=8) as database,
        bus.open(),
    ):
        publisher = EventPublisher(bus, database, clock, identifiers, source="test")
        async with publisher.running():
            world = RecordWorld(
                database=database,
                bus=bus,
                publisher=publisher,
                ledger=Ledger(database, publisher, partitions=partitions),
                clock=clock,
                identifiers=identifiers,
                account=await create_account(database, user_id=USER, client_id="A1"),
                second_account=await create_account(database, user_id=USER, client_id="A2"),
                foreign_account=await create_account(database, user_id=OTHER_USER, client_id="B1"),
            )

            async def hear(message: Any) -> None:
                world.heard.append(BrokerEvents.model_validate_json(message.data))

            await bus.client.subscribe(subjects.ALL_EVENTS, cb=hear)
            await bus.until_subscribed()
            yield world
