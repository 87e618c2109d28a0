"""Orders written through the real ledger, and what must be there of them afterwards."""

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import (
    OrderState,
)
from vyomo_ledger.testing import USER, NoBus, create_account, valid_order
from vyomo_ledger.writing import EventPublisher, Ledger, NewOrder, Step
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Database, RecordUnavailableError, open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers

CLIENTS: Final = 8
LARGEST_LIST: Final = 6
ANSWER_SECONDS: Final = 30.0


@dataclass
class Written:
    """What was asked and what was answered, from the first order on and through all cuts."""

    lists: list[list[str]] = field(default_factory=list[list[str]])
    """The order ids of each commit that was asked for: all of one are there, or none."""
    versions: dict[str, int] = field(default_factory=dict[str, int])
    """Of each order that was acknowledged, the version that was acknowledged last."""


@dataclass(frozen=True, slots=True)
class Found:
    lost: int
    """Acknowledged orders that are not there, or only as they were before what was acknowledged."""
    torn: int
    """Commits of which a part is there, orders without their events or without their row in the outbox."""


class Orders:
    """Clients that place lists of orders and move them on, as fast as they are answered."""

    def __init__(self, written: Written, chance: random.Random) -> None:
        self.written = written
        self._chance = chance
        self._clock = SystemClock()
        self._identifiers = TimeOrderedIdentifiers(self._clock)
        self._answered = asyncio.Event()
        self._numbers = itertools.count(len(written.lists))

    @asynccontextmanager
    async def going(self, url: str) -> AsyncGenerator[None]:
        """They place orders until it is left; what fails then is not acknowledged."""
        async with self._ledger(url) as ledger:
            account = await _account(ledger.database)
            clients = [asyncio.create_task(self._place(ledger, account)) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                for client in clients:
                    client.cancel()
                await asyncio.gather(*clients, return_exceptions=True)

    async def answer(self) -> None:
        """Returns on the heels of the next acknowledgement: the moment at which one that is not on the disk is worth most."""
        self._answered.clear()
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._answered.wait()

    async def place_until_refused(self, url: str, most: int) -> bool:
        """True when the record refused within `most` lists, as it does for a server that is away."""
        async with self._ledger(url) as ledger:
            account = await _account(ledger.database)
            for _ in range(most):
                try:
                    await self._place_one_list(ledger, account)
                except RecordUnavailableError:
                    return True
        return False

    async def place_one(self, url: str) -> None:
        """Raises `RecordUnavailableError`."""
        async with self._ledger(url) as ledger:
            await self._place_one_list(ledger, await _account(ledger.database))

    @asynccontextmanager
    async def _ledger(self, url: str) -> AsyncGenerator[Ledger]:
        async with open_database(url, role="vyomo", application="durability", max_size=CLIENTS) as database:
            publisher = EventPublisher(NoBus(), database, self._clock, self._identifiers, source="durability")
            ledger = Ledger(database, publisher, partitions=2)
            try:
                yield ledger
            finally:
                database.pool.terminate()

    async def _place(self, ledger: Ledger, account: int) -> None:
        while True:
            await self._place_one_list(ledger, account)

    async def _place_one_list(self, ledger: Ledger, account: int) -> None:
        """One commit for a list, another for the first of its orders."""
        count = self._chance.randint(1, LARGEST_LIST)
        orders = [self._order(account) for _ in range(count)]
        ids = [order.order_id for order in orders]
        self.written.lists.append(ids)
        await ledger.accept([NewOrder(order, f"key {order.order_id}", "a" * 64) for order in orders])
        self.written.versions.update(dict.fromkeys(ids, 1))
        self._answered.set()
        first = orders[0]
        async with ledger.transaction() as transaction:
            locked = await transaction.lock([(account, first.order_id)])
            update = OrderUpdate(state=OrderState.SUBMITTING, at=self._clock.now())
            transaction.step([Step(order=locked[first.order_id], update=update)])
        self.written.versions[first.order_id] = 2

    def _order(self, account: int) -> Order:
        now = self._clock.now()
        return valid_order(
            order_id=f"PAPER_{next(self._numbers):08}_{self._identifiers.message_id()}",
            account_id=account,
            user_id=USER,
            broker_tag=self._identifiers.broker_tag(),
            now=now,
            expires_at=now + timedelta(hours=1),
        )


async def look_for(url: str, written: Written) -> Found:
    async with (
        open_database(url, role="vyomo", application="durability", statement_seconds=60) as database,
        database.connection() as connection,
    ):
        rows = await connection.fetch("SELECT order_id, version FROM ledger.broker_orders")
        events = await connection.fetch(
            "SELECT order_id, array_agg(version ORDER BY version) AS versions FROM ledger.order_events GROUP BY order_id"
        )
        announced = await connection.fetch(
            "SELECT DISTINCT unnest(order_ids) AS order_id, unnest(versions) AS version FROM ledger.outbox"
        )
    versions: dict[str, int] = {row["order_id"]: row["version"] for row in rows}
    recorded: dict[str, list[int]] = {row["order_id"]: row["versions"] for row in events}
    told = {(row["order_id"], row["version"]) for row in announced}
    lost = sum(versions.get(order_id, 0) < version for order_id, version in written.versions.items())
    half = sum(0 < len([each for each in ids if each in versions]) < len(ids) for ids in written.lists)
    incomplete = sum(
        recorded.get(order_id) != list(range(1, version + 1))
        or any((order_id, each) not in told for each in range(1, version + 1))
        for order_id, version in versions.items()
    )
    return Found(lost, half + incomplete + len(recorded.keys() - versions.keys()))


async def _account(database: Database) -> int:
    async with database.connection() as connection:
        known: int | None = await connection.fetchval("SELECT min(id) FROM accounts.broker_accounts")
    return known or await create_account(database, user_id=USER, client_id="A1")
