"""A trading floor for tests: the real record and bus, real workers, and a scripted broker they speak to over HTTP."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from vyomo_broker_kit import worker
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.lanes import Lanes
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.start_gate import Books
from vyomo_broker_kit.testing.scripted_broker import ScriptedBroker
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort
from vyomo_broker_kit.worker import WorkerParts, WorkerSettings, remote_worker
from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.events import AlertRaised
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import Broker, OrderState, PendingAction
from vyomo_ledger.testing import RecordWorld, create_account, record_world
from vyomo_ledger.writing import PendingChange
from vyomo_service_kit.testing import eventually


@dataclass
class Floor:
    """`broker` is the scripted one, `account` a zerodha account."""

    world: RecordWorld
    broker: ScriptedBroker
    account: int
    url: str
    nats_url: str
    lanes: list[Lanes] = field(default_factory=list[Lanes])

    async def place(self, **changes: Any) -> Order:
        order = self.world.order(
            self.account,
            broker=Broker.ZERODHA,
            order_id=self.world.identifiers.order_id("zerodha"),
            **changes,
        )
        await self.world.ledger.accept([self.world.new(order)])
        for lanes in self.lanes:
            lanes.ring([self.account])
        return order

    async def stored(self, order: Order) -> Order:
        return await self.world.stored(order.order_id)

    async def until(self, order: Order, *states: OrderState, seconds: float = 10) -> Order:
        async def reached() -> bool:
            return (await self.stored(order)).state in states

        await eventually(reached, timeout=seconds)
        return await self.stored(order)

    async def ask(
        self, order: Order, action: PendingAction, changes: OrderModification | None = None
    ) -> None:
        async with self.world.ledger.transaction() as transaction:
            current = (await transaction.lock([(self.account, order.order_id)]))[order.order_id]
            change = PendingChange(
                order=current, action=action, modification=changes, reason="changed my mind"
            )
            transaction.ask(change, self.world.clock.now())
        self.lanes[0].ring([self.account])

    async def event_types(self, order: Order) -> list[str]:
        rows = await self.world.rows(
            "SELECT type FROM ledger.order_events WHERE order_id = $1 ORDER BY version", order.order_id
        )
        return [row["type"] for row in rows]

    async def fills(self, order: Order) -> list[dict[str, Any]]:
        return await self.world.rows(
            "SELECT trade_id, quantity, price, basis FROM ledger.fills WHERE order_id = $1 ORDER BY id",
            order.order_id,
        )

    async def standing_alerts(self) -> list[AlertCode]:
        rows = await self.world.rows("SELECT code FROM ledger.alerts WHERE cleared_at IS NULL ORDER BY id")
        return [AlertCode(row["code"]) for row in rows]

    def heard_alerts(self) -> list[Alert]:
        return [
            event.alert
            for envelope in self.world.heard
            for event in envelope.items
            if isinstance(event, AlertRaised)
        ]

    def reads_of(self, what: str) -> int:
        return sum(
            1 for each, account_id, _ in self.broker.reads if (each, account_id) == (what, self.account)
        )

    @asynccontextmanager
    async def working(
        self,
        *,
        limits: SendLimits | None = None,
        reconcile: ReconcileLimits | None = None,
        port: int | None = None,
        beside: Callable[[WorkerParts], AbstractAsyncContextManager[None]] | None = None,
        through: Callable[[BrokerPort], BrokerPort] = lambda port: port,
        needs: frozenset[Books] = frozenset(),
    ) -> AsyncGenerator[None]:
        """A worker process's insides; `port` leads it to another broker, `through` puts something of the test's before it.

        Orders are claimed before any reading, unless `needs` says what must have been read.
        """
        settings = WorkerSettings(
            postgres_url=SecretStr(self.url), nats_url=SecretStr(self.nats_url), partitions=2
        )
        url = self.broker.url if port is None else f"http://127.0.0.1:{port}"
        async with OrderTransport(url, total_seconds=(limits or SendLimits()).total_seconds) as transport:
            scripted = through(ScriptedBrokerPort(transport, self.world.clock))
            async with remote_worker(
                settings,
                Broker.ZERODHA,
                worker.through(scripted),
                limits=limits,
                reconcile=reconcile,
                beside=beside,
                needs=needs,
            ) as lanes:
                self.lanes.append(lanes)
                yield
                self.lanes.remove(lanes)


@asynccontextmanager
async def trading_floor(database_url: str, nats_url: str) -> AsyncGenerator[Floor]:
    async with (
        record_world(database_url, nats_url, role="vyomo", brokers=(Broker.ZERODHA,)) as world,
        ScriptedBroker().serving() as broker,
    ):
        account = await create_account(world.database, user_id="asha", client_id="Z1", broker=Broker.ZERODHA)
        yield Floor(world, broker, account, database_url, nats_url)
