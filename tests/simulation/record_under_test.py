"""The record behind one face, on PostgreSQL and in memory, for the suite both must pass."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import orjson
from vyomo_simulation.record import Record
from vyomo_simulation.server import MemoryDatabase, Server
from vyomo_simulation.statements import statements_of

from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    Product,
)
from vyomo_ledger.testing import NoBus, create_account, valid_order
from vyomo_ledger.writing import EventPublisher, Ledger, NewOrder
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers

USER, OTHER_USER = "asha", "bela"
PARTITIONS = 2


@dataclass
class RecordUnderTest:
    name: str
    database: Database
    ledger: Ledger
    accounts: list[int]
    """Two of one user, one of another, one that takes no orders; one with a broker that has sessions."""
    stored: Callable[[str], Awaitable[dict[str, Any]]]
    outbox: Callable[[], Awaitable[list[dict[str, Any]]]]
    set_lanes: Callable[[int, dict[str, Any]], Awaitable[None]]
    """Both lanes of an account, as a control would leave them."""
    set_session: Callable[[int, datetime], Awaitable[None]]
    hold: Callable[[int, int], Awaitable[None]]
    """Net units of what `order` trades."""

    def order(self, name: str, *, account: int = 0, now: datetime, **changes: Any) -> Order:
        order = valid_order(
            order_id=name,
            account_id=self.accounts[account],
            user_id=OTHER_USER if account == 2 else USER,
            broker_tag=f"T{name}",
            now=now,
            expires_at=now + timedelta(hours=1),
        )
        return order.model_copy(update=changes)

    def fill(self, order: Order, trade_id: str, *, basis: str) -> Fill:
        return Fill(
            trade_id=trade_id,
            quantity=4,
            price=Decimal("250.25"),
            filled_at=order.created_at,
            basis=basis,
            **order.model_dump(
                include={"order_id", "account_id", "exchange", "symbol", "product", "transaction_type"}
            ),
        )

    async def accepted(self, name: str, **changes: Any) -> Order:
        order = self.order(name, now=SystemClock().now(), **changes)
        await self.ledger.accept([NewOrder(order, f"key {name}", "a" * 64)])
        return order

    def place_of(self, account_id: int) -> int:
        return self.accounts.index(account_id)


def _ledger(database: Database) -> Ledger:
    clock = SystemClock()
    publisher = EventPublisher(NoBus(), database, clock, TimeOrderedIdentifiers(clock), source="test")
    return Ledger(database, publisher, partitions=PARTITIONS)


@asynccontextmanager
async def in_postgres(url: str) -> AsyncGenerator[RecordUnderTest]:
    async with open_database(url, role="vyomo", application="test", max_size=8) as database:

        async def rows(query: str, *values: object) -> list[dict[str, Any]]:
            async with database.connection() as connection:
                return [dict(row) for row in await connection.fetch(query, *values)]

        async def stored(order_id: str) -> dict[str, Any]:
            [row] = await rows("SELECT * FROM ledger.broker_orders WHERE order_id = $1", order_id)
            parameters = row["pending_parameters"]
            row["pending_parameters"] = None if parameters is None else orjson.loads(parameters)
            row["events"] = [
                (each["version"], each["type"], orjson.loads(each["body"]))
                for each in await rows(
                    "SELECT * FROM ledger.order_events WHERE order_id = $1 ORDER BY version", order_id
                )
            ]
            row["fills"] = [
                (each["trade_id"], each["quantity"], each["price"])
                for each in await rows("SELECT * FROM ledger.fills WHERE order_id = $1 ORDER BY id", order_id)
            ]
            return row

        async def outbox() -> list[dict[str, Any]]:
            return await rows("SELECT * FROM ledger.outbox ORDER BY id")

        async def set_lanes(account_id: int, values: dict[str, Any]) -> None:
            for name, value in values.items():
                await rows(
                    f"UPDATE ledger.lanes SET {name} = $2 WHERE account_id = $1 RETURNING 1",
                    account_id,
                    value,
                )

        async def set_session(account_id: int, until: datetime) -> None:
            await rows(
                "UPDATE ledger.lanes SET session_until = $2 WHERE account_id = $1 AND lane = 'CLAIM' RETURNING 1",
                account_id,
                until,
            )

        async def hold(account_id: int, quantity: int) -> None:
            await rows(
                "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price,"
                " version, updated_at) VALUES ($1, $2, 'paper', 'NSE', 'RELIANCE', 'MIS', $3, 250, 1, now()) RETURNING 1",
                account_id,
                USER,
                quantity,
            )

        accounts = [
            await create_account(
                database,
                user_id=OTHER_USER if number == 2 else USER,
                client_id=f"C{number}",
                broker=Broker.ZERODHA if number == 4 else Broker.PAPER,
            )
            for number in range(5)
        ]
        await rows("UPDATE ledger.lanes SET accepting = false WHERE account_id = $1 RETURNING 1", accounts[3])
        yield RecordUnderTest(
            "postgresql", database, _ledger(database), accounts, stored, outbox, set_lanes, set_session, hold
        )


@asynccontextmanager
async def in_memory() -> AsyncGenerator[RecordUnderTest]:
    record = Record()
    for number in range(5):
        broker = Broker.ZERODHA if number == 4 else Broker.PAPER
        session_until = SystemClock().now() + timedelta(days=1) if number == 4 else None
        record.add_account(number + 1, OTHER_USER if number == 2 else USER, broker, session_until)
    record.lanes[4, "ACCEPT"]["accepting"] = False
    database = MemoryDatabase(Server(SystemClock(), Random(1), statements_of(record)))

    async def stored(order_id: str) -> dict[str, Any]:
        row = dict(record.orders[order_id])
        row["events"] = [
            (each["version"], each["type"], orjson.loads(each["body"])) for each in record.events[order_id]
        ]
        row["fills"] = [
            (trade_id, each["quantity"], Decimal(each["price"]))
            for (_, trade_id), each in record.fills.items()
            if each["order_id"] == order_id
        ]
        return row

    async def outbox() -> list[dict[str, Any]]:
        return [row for _, row in sorted(record.outbox.items())]

    async def set_lanes(account_id: int, values: dict[str, Any]) -> None:
        for lane in ("ACCEPT", "CLAIM"):
            record.lanes[account_id, lane] |= values

    async def set_session(account_id: int, until: datetime) -> None:
        record.lanes[account_id, "CLAIM"]["session_until"] = until

    async def hold(account_id: int, quantity: int) -> None:
        record.positions[account_id, Exchange.NSE, "RELIANCE", Product.MIS] = quantity

    yield RecordUnderTest(
        "memory", database, _ledger(database), [1, 2, 3, 4, 5], stored, outbox, set_lanes, set_session, hold
    )
