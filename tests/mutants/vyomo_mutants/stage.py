"""A real record for one scenario, and the means to bring two transactions to one chosen moment without waiting by the clock."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import orjson
from asyncpg.exceptions import LockNotAvailableError

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.vocabulary import (
    Broker,
    OrderState,
)
from vyomo_ledger.testing import OTHER_USER, USER, create_account, valid_order
from vyomo_ledger.writing import EventPublisher, Ledger, LedgerTransaction, NewOrder, Step
from vyomo_ledger.writing.accept import UNCONDITIONAL, Acceptance, Terms
from vyomo_service_kit.bus import Bus, BusUnavailableError
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Connection, Database, open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.testing import eventually

T = TypeVar("T")

PARTITIONS = 2
FOREIGN = 2
AT_A_BROKER = 3


# Rows, not tables: there are a handful, and each truncated table would be new files.
_CLEAR = """
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                WHERE schemaname IN ('accounts', 'ledger', 'venue') AND tablename NOT IN ('controls', 'margin_rates')
    LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    DELETE FROM ledger.controls WHERE user_id <> '' OR scope <> 'global' OR cause <> 'SWITCH';
    UPDATE ledger.controls SET state = 'ACTIVE', swept = true, version = 1;
END $$
"""


class ChosenBus(Bus):
    """Stores nothing until it is told to, so the outbox shows what there is to publish; keeps what it stored."""

    def __init__(self) -> None:
        self.takes = False
        self.refuses: set[str] = set()
        """Subjects that cannot go even when others can."""
        self.stored_messages: list[bytes] = []

    async def store(self, subject: str, payload: bytes, *, message_id: str) -> None:
        if not self.takes or subject in self.refuses:
            raise BusUnavailableError(subject, f"{message_id} is not taken in this test")
        self.stored_messages.append(payload)


@dataclass
class Stage:
    database: Database
    bus: ChosenBus
    publisher: EventPublisher
    ledger: Ledger
    accounts: list[int]
    """Two paper accounts of one user, one of another's, and one at a broker that has sessions."""
    clock: SystemClock = field(default_factory=SystemClock)

    def order(self, name: str, *, account: int = 0, **changes: Any) -> Order:
        now = self.clock.now()
        order = valid_order(
            order_id=name,
            account_id=self.accounts[account],
            user_id=OTHER_USER if account == FOREIGN else USER,
            broker_tag=f"T{name}",
            now=now,
            broker=Broker.ZERODHA if account == AT_A_BROKER else Broker.PAPER,
            expires_at=now + timedelta(hours=1),
        )
        return order.model_copy(update=changes)

    async def accept(
        self, *orders: Order, key: str | None = None, terms: Terms = UNCONDITIONAL
    ) -> list[Acceptance]:
        return await self.ledger.accept(
            [NewOrder(each, key or f"key {each.order_id}", "a" * 64, terms) for each in orders]
        )

    async def accepted(self, name: str, **changes: Any) -> Order:
        order = self.order(name, **changes)
        await self.accept(order)
        return order

    async def learn(self, order: Order, state: OrderState, **given: Any) -> Order:
        """One step of an order, as it now is, in a transaction of its own."""
        fills = given.pop("fills", ())
        superseded = given.pop("superseded_fills", ())
        deadline = given.pop("send_deadline", None)
        async with self.ledger.transaction() as transaction:
            current = await locked(transaction, order)
            update = OrderUpdate(state=state, at=self.clock.now(), **given)
            transaction.step(
                [
                    Step(
                        order=current,
                        update=update,
                        fills=fills,
                        superseded_fills=superseded,
                        send_deadline=deadline,
                    )
                ]
            )
            return transaction.current(current)

    async def claimed(self, *account_ids: int, per_account: int = 9, **given: Any) -> list[str]:
        """The ids of the new orders a worker would send now; nothing is marked."""
        async with self.ledger.transaction() as transaction:
            claimed = await transaction.claim(
                account_ids or self.accounts, per_account=per_account, exits_first=True, **given
            )
            return [order.order_id for order in claimed.orders]

    def fill(self, order: Order, trade_id: str, **changes: Any) -> Fill:
        fill = Fill(
            trade_id=trade_id,
            quantity=4,
            price=Decimal("250.25"),
            filled_at=order.created_at,
            basis="trade_book",
            **order.model_dump(
                include={"order_id", "account_id", "exchange", "symbol", "product", "transaction_type"}
            ),
        )
        return fill.model_copy(update=changes)

    def events(self) -> list[dict[str, Any]]:
        """All that the bus has stored, one by one."""
        return [event for message in self.bus.stored_messages for event in orjson.loads(message)["items"]]

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with self.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *values)]

    async def value(self, query: str, *values: object) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *values)

    async def has_come_to_wait(self, task: "asyncio.Task[Any]") -> bool:
        """Returns once `task` stands before a lock or is done: whether it waits."""

        async def stands() -> bool:
            return task.done() or await self.value(
                "SELECT count(*) > 0 FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )

        await eventually(stands, interval=0.005)
        return not task.done()

    @asynccontextmanager
    async def holding(self, query: str, *values: object) -> AsyncGenerator[Connection]:
        """Somebody else's transaction that has run `query`; committed on leaving."""
        async with self.database.transaction() as connection:
            await connection.execute(query, *values)
            yield connection


async def locked(transaction: LedgerTransaction, order: Order) -> Order:
    return (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]


async def is_free(connection: Connection, query: str, *values: object) -> bool:
    """Whether the row of `query` could be locked at this moment; it is not kept."""
    savepoint = connection.transaction()
    await savepoint.start()
    try:
        await connection.execute(f"{query} FOR UPDATE NOWAIT", *values)
    except LockNotAvailableError:
        return False
    finally:
        await savepoint.rollback()
    return True


async def interrupted(task: "asyncio.Task[T]") -> T | None:
    """Its answer; None when the statement failed."""
    done, _ = await asyncio.wait({task}, timeout=20)
    assert done, "still waiting"
    return None if task.exception() else task.result()


def started(work: Awaitable[T]) -> "asyncio.Task[T]":
    return asyncio.ensure_future(work)  # pyright: ignore[reportReturnType]


def utc(seconds_from_now: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds_from_now)


@asynccontextmanager
async def on_stage(url: str) -> AsyncGenerator[Stage]:
    clock = SystemClock()
    async with open_database(
        url, role="vyomo", application="scenario", max_size=8, statement_seconds=20, lock_seconds=15
    ) as database:
        async with database.connection() as connection:
            await connection.execute(_CLEAR)
        bus = ChosenBus()
        publisher = EventPublisher(bus, database, clock, TimeOrderedIdentifiers(clock), source="scenario")
        accounts = [
            await create_account(
                database,
                user_id=OTHER_USER if number == FOREIGN else USER,
                client_id=f"C{number}",
                broker=Broker.ZERODHA if number == AT_A_BROKER else Broker.PAPER,
            )
            for number in range(4)
        ]
        yield Stage(database, bus, publisher, Ledger(database, publisher, partitions=PARTITIONS), accounts)
