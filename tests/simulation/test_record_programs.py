"""The same random program on PostgreSQL and in memory: every answer and every row must be the same."""

# The statements are private to their modules; both implementations are asked with the very same constants.
# pyright: reportPrivateUsage=false

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from record_under_test import RecordUnderTest, in_memory, in_postgres

from vyomo_broker_kit import book_learning, book_merge, book_sync, lanes
from vyomo_contracts.lifecycle import Applied, OrderUpdate
from vyomo_contracts.orders import Fill, Order, OrderModification
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.writing import (
    Accepted,
    LedgerTransaction,
    NewOrder,
    PendingChange,
    Replayed,
    Step,
    Terms,
    exits,
    relay,
    sweeper,
)
from vyomo_order_router.adapters import risk
from vyomo_service_kit.database import Connection

STEPS = 60
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
QUERIES: dict[str, tuple[Any, ...]] = {
    sweeper._EXPIRED: (50,),
    sweeper._UNTAKEN: (timedelta(seconds=5), 50),
    lanes._WAITING: ("paper",),
    book_sync._ALL_ACCOUNTS: ("zerodha",),
}


@dataclass
class Program:
    """Draws the same steps for both: what it draws depends on its seed alone, what it tells is compared."""

    record: RecordUnderTest
    random: Random
    told: list[Any] = field(default_factory=list[Any])
    names: list[str] = field(default_factory=list[str])
    held: set[int] = field(default_factory=set[int])
    made: int = 0

    async def run(self) -> None:
        acts = (self.accept, self.accept, self.claim, self.learn, self.learn, self.ask, self.act, self.query)
        acts += (self.restrain,)
        for _ in range(STEPS):
            await self.random.choice(acts)()
        for name in self.names:
            self.told.append(await self._row(name))
        self.told.append(sorted(_pointers(row) for row in await self.record.outbox()))

    async def accept(self) -> None:
        new: list[NewOrder] = []
        for _ in range(self.random.randint(1, 3)):
            self.made += 1
            name = f"O{self.made}"
            account = self.random.choice((0, 0, 1, 1, 2, 3))
            changes: dict[str, Any] = {"expires_at": NOW + self.random.choice((HOUR, HOUR, -HOUR))}
            if self.random.random() < 0.1:
                changes["user_id"] = "bela"
            if self.random.random() < 0.5:
                changes |= {"created_at": NOW - HOUR, "updated_at": NOW - HOUR}
            order = self.record.order(name, account=account, now=NOW, **changes)
            key, body = f"k{self.random.randint(0, 60)}", self.random.choice("ab")
            terms = Terms(
                risk_version=self.random.choice((None, 0, 0, 1)),
                next_sequence=self.random.choice((None, None, len(self.names))),
            )
            new.append(NewOrder(order, key, body * 64, terms))
        answers = await self.record.ledger.accept(new)
        for each, answer in zip(new, answers, strict=True):
            if isinstance(answer, Accepted):
                self.names.append(each.order.order_id)
            known = (answer.order.order_id, answer.same_request) if isinstance(answer, Replayed) else None
            self.told.append((type(answer).__name__, known))

    async def claim(self) -> None:
        accounts = self.record.accounts[: self.random.randint(1, 3)]
        deadline = NOW + self.random.choice((HOUR, -HOUR))
        async with self.record.ledger.transaction() as transaction:
            claimed = await transaction.claim(
                accounts,
                per_account=self.random.randint(1, 3),
                exits_first=self.random.random() < 0.5,
                only_sendable=self.random.random() < 0.5,
                except_for=self.random.sample(self.names, min(len(self.names), 2)),
            )
            claims = [(self.random.choice(accounts), each, NOW + HOUR) for each in self.names]
            standing = await transaction.standing_claims(claims)
            flying = await transaction.sends_in_flight(accounts)
            update = OrderUpdate(state=OrderState.SUBMITTING, at=NOW)
            transaction.step(
                [Step(order=each, update=update, send_deadline=deadline) for each in claimed.orders]
            )
            for change in claimed.actions:
                transaction.begin_action(change.order, NOW, deadline)
        self.told.append([each.order_id for each in claimed.orders])
        self.told.append((sorted(claimed.exits), standing))
        self.told.append([(each.order.order_id, each.parameters()) for each in claimed.actions])
        self.told.append({self.record.place_of(each): sends for each, sends in flying.items()})

    async def learn(self) -> None:
        async with self._some_order() as (transaction, order):
            if order is None:
                return
            filled = min(order.quantity, order.filled_quantity + self.random.randint(0, 6))
            state = self.random.choice(list(OrderState))
            price = Decimal(self.random.randint(1, 9999)) / 20 if filled else None
            update = OrderUpdate(
                state=state,
                at=NOW,
                filled_quantity=filled,
                average_price=price,
                broker_order_id=f"B{order.order_id}",
                reason="because" if self.random.random() < 0.3 else None,
                clears_pending_action=self.random.random() < 0.3,
            )
            [result] = transaction.step([Step(order=order, update=update, fills=self._fills(order, filled))])
            self.told.append((order.order_id, type(result).__name__))
            if isinstance(result, Applied):
                self.told.append(result.order.model_copy(update={"account_id": 0}))

    async def ask(self) -> None:
        async with self._some_order() as (transaction, order):
            if order is None or order.state.is_terminal or order.pending_action is not None:
                return
            if self.random.random() < 0.5:
                change = PendingChange(order=order, action=PendingAction.CANCEL, reason="changed my mind")
            else:
                changes = OrderModification(price=Decimal("251.05"), quantity=20)
                change = PendingChange(order=order, action=PendingAction.MODIFY, modification=changes)
            transaction.ask(change, NOW)

    async def act(self) -> None:
        async with self._some_order() as (transaction, order):
            if order is not None and order.pending_action is not None:
                transaction.put_back(order, NOW)

    async def restrain(self) -> None:
        """Another trading state and another position for one of the accounts."""
        account_id = self.random.choice(self.record.accounts[:3])
        state = self.random.choice(("ACTIVE", "ACTIVE", "REDUCING", "HALTED"))
        await self.record.set_lanes(account_id, {"trading": state, "risk_version": self.random.randint(0, 1)})
        if account_id not in self.held:
            self.held.add(account_id)
            await self.record.hold(account_id, self.random.randint(-40, 40))

    async def query(self) -> None:
        async with self.record.database.connection() as connection:
            accounts = await connection.fetch(risk._ACCOUNTS, self.record.accounts)
            self.told.append(sorted(self._plain(row) for row in accounts))
            for query, values in QUERIES.items():
                self.told.append(sorted(self._plain(row) for row in await connection.fetch(query, *values)))
            account_id = self.record.accounts[self.random.randint(0, 2)]
            await self._ask_as_a_reading_of_books_does(connection, account_id)
            # Which of a commit's groups comes first is nobody's promise.
            left = sorted(await connection.fetch(relay._LEFT_BEHIND, timedelta(0), 500), key=_pointers)
            for row in left[:3]:
                events = await connection.fetch(relay._EVENTS, row["order_ids"], row["versions"])
                self.told.append([self._event(event) for event in events])
            if left:
                await connection.execute(relay._DELETE, left[0]["id"])

    async def _ask_as_a_reading_of_books_does(self, connection: Connection, account_id: int) -> None:
        accounts: list[list[tuple[str, Any]]] = []
        for row in await connection.fetch(book_sync.OPEN_ACCOUNTS, "paper"):
            unknown = row["unknown_for"]
            accounts.append(
                self._plain(dict(row) | {"unknown_for": unknown and [age > 0 for age in unknown]})
            )
        self.told.append(sorted(accounts))
        some = self.random.sample(self.names, min(len(self.names), 4))
        ids, tags = [f"B{name}" for name in some[:2]], [f"T{name}" for name in some[2:]]
        for query, values in (
            (book_merge._OVERDUE, (self.record.accounts,)),
            (book_merge._OWNER, (account_id,)),
            (book_learning._CONCERNED, (account_id, ids, tags)),
            (exits._REDUCING, (self.record.accounts, self.names)),
        ):
            self.told.append(sorted(self._plain(row) for row in await connection.fetch(query, *values)))
        for row in await connection.fetch(book_learning._CALLS, account_id, sorted(some)):
            ages = {name: row[name] is not None and row[name] > 0 for name in ("deadline_age", "changed_age")}
            self.told.append(self._plain(dict(row) | ages | {"pending_parameters": None}))
        fills = await connection.fetch(book_learning._FILLS, account_id, self.names)
        self.told.append(
            sorted(
                (fill.trade_id, fill.quantity, fill.price, fill.filled_at)
                for fill in (Fill.model_validate(dict(row)) for row in fills)
            )
        )

    @asynccontextmanager
    async def _some_order(self) -> AsyncGenerator[tuple[LedgerTransaction, Order | None]]:
        name = self.random.choice(self.names) if self.names else "none"
        account_id = self.record.accounts[self.random.randint(0, 1)]
        async with self.record.ledger.transaction() as transaction:
            yield transaction, (await transaction.lock([(account_id, name)])).get(name)

    def _fills(self, order: Order, filled: int) -> tuple[Fill, ...]:
        quantity = filled - order.filled_quantity
        if not quantity:
            return ()
        fill = Fill(
            trade_id=f"{order.order_id}-{self.random.randint(0, 2)}",
            quantity=quantity,
            price=Decimal(self.random.randint(1, 9999)) / 20,
            filled_at=NOW,
            basis="derived",
            **order.model_dump(
                include={"order_id", "account_id", "exchange", "symbol", "product", "transaction_type"}
            ),
        )
        return (fill,)

    async def _row(self, name: str) -> dict[str, Any]:
        row = await self.record.stored(name)
        for drawn in ("id", "status", "account_id"):
            row.pop(drawn, None)
        row["events"] = [(version, type_, self._body(body)) for version, type_, body in row["events"]]
        return row

    def _event(self, event: Any) -> Any:
        return Order.model_validate_json(event["snapshot"]).model_copy(update={"account_id": 0})

    def _body(self, body: dict[str, Any]) -> dict[str, Any]:
        for part in (body["order"], *body["fills"]):
            part["account_id"] = self.record.place_of(part["account_id"])
        return body

    def _plain(self, row: Any) -> list[tuple[str, Any]]:
        values = dict(row)
        if "account_id" in values:
            values["account_id"] = self.record.place_of(values["account_id"])
        return sorted(values.items())


def _pointers(row: Any) -> tuple[list[str], list[int]]:
    return row["order_ids"], row["versions"]


@pytest.mark.parametrize("seed", range(8))
async def test_program_tells_the_same_of_both_records(seed: int, database_url: str) -> None:
    async with in_postgres(database_url) as postgres, in_memory() as memory:
        programs = [Program(postgres, Random(seed)), Program(memory, Random(seed))]
        for program in programs:
            await program.run()

    for truth, simulated in zip(programs[0].told, programs[1].told, strict=True):
        assert simulated == truth
