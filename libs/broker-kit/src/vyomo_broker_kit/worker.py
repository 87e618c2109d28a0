"""A broker's worker process: bus, record, lanes and executor put together. Adapters supply the port, paper its own executor."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from vyomo_broker_kit.book_sync import BookSync
from vyomo_broker_kit.doorbell import register_doorbell
from vyomo_broker_kit.lanes import LaneExecutor, Lanes
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.portfolio_sync import PortfolioSync
from vyomo_broker_kit.remote import RemoteExecutor
from vyomo_broker_kit.session_watch import SessionWatch
from vyomo_broker_kit.start_gate import Books, StartGate
from vyomo_contracts.capabilities import CAPABILITIES
from vyomo_contracts.topology import worker_consumer
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.dead_letters import DeadLetterBox
from vyomo_ledger.writing import EventPublisher, Ledger
from vyomo_service_kit.bus import Bus, wait_for_consumer
from vyomo_service_kit.clock import Clock, SystemClock
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.identifiers import IdentifierFactory, TimeOrderedIdentifiers
from vyomo_service_kit.record_clock import RecordClock
from vyomo_service_kit.settings import ServiceSettings


def _partitions(value: object) -> object:
    """`0,2,5` or `all`."""
    if isinstance(value, str):
        return None if value == "all" else frozenset(int(part) for part in value.split(","))
    return value


class WorkerSettings(ServiceSettings):
    owned_partitions: Annotated[frozenset[int] | None, BeforeValidator(_partitions)] = None
    """The account groups this process serves; None means all."""

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(range(self.partitions)) if self.owned_partitions is None else self.owned_partitions


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What an executor is made of."""

    bus: Bus
    database: Database
    ledger: Ledger
    clock: Clock
    identifiers: IdentifierFactory


AdapterFactory = Callable[[WorkerParts], AbstractAsyncContextManager[BrokerPort]]
"""Opens a broker's port once bus and record are connected, and before the bus delivers: it may register handlers of its own."""


def through(port: BrokerPort) -> AdapterFactory:
    """A port that needs nothing of the worker's."""

    @asynccontextmanager
    async def adapter(_: WorkerParts) -> AsyncGenerator[BrokerPort]:
        yield port

    return adapter


ExecutorFactory = Callable[[WorkerParts], AbstractAsyncContextManager[LaneExecutor]]
"""Opens an executor once bus and record are connected; leaving it finishes what is under way."""


@asynccontextmanager
async def local_worker(
    settings: WorkerSettings,
    broker: Broker,
    executor: ExecutorFactory,
    register: Callable[[Bus], None] | None = None,
) -> AsyncGenerator[Lanes]:
    """A worker whose executor settles orders itself; `register` adds handlers to the bus before it starts."""
    name = f"worker-{broker}"
    clock = RecordClock(SystemClock())
    identifiers = TimeOrderedIdentifiers(clock)
    bus = Bus(settings.nats_url.get_secret_value(), name=name)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                settings.postgres_url.get_secret_value(), role="vyomo_worker", application=name, max_size=6
            )
        )
        await stack.enter_async_context(clock.following(database))
        bus.keep_dead_letter = DeadLetterBox(database).keep
        publisher = EventPublisher(bus, database, clock, identifiers, source=name)
        ledger = Ledger(database, publisher, partitions=settings.partitions)
        await bus.connect()
        for partition in sorted(settings.owned):
            await wait_for_consumer(bus.stored, worker_consumer(broker, partition))
        served = await stack.enter_async_context(
            executor(WorkerParts(bus, database, ledger, clock, identifiers))
        )
        lanes = Lanes(database, served, broker=broker, partitions=settings.partitions, owned=settings.owned)
        register_doorbell(bus.broker, broker=broker, owned=settings.owned, ring=lanes.ring)
        if register is not None:
            register(bus)
        await stack.enter_async_context(bus.open())
        await stack.enter_async_context(publisher.running())
        await stack.enter_async_context(lanes.running())
        await stack.enter_async_context(bus.draining())
        yield lanes


@asynccontextmanager
async def remote_worker(
    settings: WorkerSettings,
    broker: Broker,
    adapter: AdapterFactory,
    *,
    limits: SendLimits | None = None,
    reconcile: ReconcileLimits | None = None,
    beside: Callable[[WorkerParts], AbstractAsyncContextManager[None]] | None = None,
    needs: frozenset[Books] = frozenset(Books),
) -> AsyncGenerator[Lanes]:
    """A worker whose broker is elsewhere: claim, commit, one call, outcome, commit; then the book tells the rest.

    `needs` are the books that must have been read before anything is claimed for an account.

    `beside` is what else runs on the worker's parts.
    """
    opened: list[Lanes] = []

    def ring(account_ids: Iterable[int]) -> None:
        for lanes in opened:
            lanes.ring(account_ids)

    @asynccontextmanager
    async def executor(parts: WorkerParts) -> AsyncGenerator[LaneExecutor]:
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(adapter(parts))
            reconciling = reconcile or ReconcileLimits()
            book = BookSync(
                parts.ledger,
                port,
                parts.clock,
                broker=broker,
                partitions=settings.partitions,
                owned=settings.owned,
                limits=reconciling,
            )
            portfolio = PortfolioSync(
                parts.ledger,
                port,
                parts.clock,
                broker=broker,
                partitions=settings.partitions,
                owned=settings.owned,
                limits=reconciling,
                look=book.look,
            )
            book.on_filled(portfolio.filled)
            gate = StartGate(parts.clock, needs)
            gate.opened = lambda account_id: ring([account_id])

            def look(account_id: int) -> None:
                book.look(account_id)
                portfolio.look(account_id)

            gate.look = look
            book.on_read = lambda account_id: gate.has_read(account_id, Books.ORDERS)
            portfolio.on_explained = lambda account_id: gate.has_read(account_id, Books.POSITIONS)
            remote = RemoteExecutor(
                parts.ledger,
                port,
                parts.clock,
                limits=limits or SendLimits(rate=CAPABILITIES[broker].order_rate),
                ring=ring,
                look=book.look,
                gate=gate,
            )
            sessions = SessionWatch(
                parts.ledger,
                parts.clock,
                broker=broker,
                partitions=settings.partitions,
                owned=settings.owned,
            )
            if beside is not None:
                await stack.enter_async_context(beside(parts))
            for each in (sessions, book, portfolio, remote):
                await stack.enter_async_context(each.running())
            yield remote

    async with local_worker(settings, broker, executor) as lanes:
        opened.append(lanes)
        yield lanes
