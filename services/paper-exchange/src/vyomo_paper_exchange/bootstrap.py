"""The paper exchange's wiring, in one place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from nats.errors import Error as NatsError

from vyomo_broker_kit.lanes import Lanes
from vyomo_contracts.topology import Consumer, partition_of, worker_consumer
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.dead_letters import DeadLetterBox
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_ledger.writing import EventPublisher, Ledger
from vyomo_paper_exchange.adapters.catalogue import Listings
from vyomo_paper_exchange.adapters.store import VenueStore
from vyomo_paper_exchange.app import register
from vyomo_paper_exchange.candles import CandleAnswers
from vyomo_paper_exchange.days import DayChange
from vyomo_paper_exchange.domain.margins import MarginRates
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.sessions import AlwaysOpen, MarketHours
from vyomo_paper_exchange.domain.working import RestingOrders
from vyomo_paper_exchange.doors.reconciling import DoorReconciler
from vyomo_paper_exchange.doors.record import DoorRecord
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_paper_exchange.handlers import SOURCE, MarketFeed
from vyomo_paper_exchange.history import CandleHistory
from vyomo_paper_exchange.rounds import Rounds
from vyomo_paper_exchange.settings import PaperExchangeSettings
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock, SystemClock
from vyomo_service_kit.database import open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import cancel_and_wait

_POLL_SECONDS = 0.1


@asynccontextmanager
async def paper_exchange(
    settings: PaperExchangeSettings, clock: Clock | None = None
) -> AsyncGenerator[PaperExecutor]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    clock = clock or SystemClock()
    identifiers = TimeOrderedIdentifiers(clock)
    bus = Bus(settings.nats_url.get_secret_value(), name=SOURCE)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                settings.postgres_url.get_secret_value(), role="vyomo_worker", application=SOURCE, max_size=4
            )
        )
        bus.keep_dead_letter = DeadLetterBox(database).keep
        publisher = EventPublisher(bus, database, clock, identifiers, source=SOURCE)
        ledger = Ledger(database, publisher, partitions=settings.partitions)
        store, market = VenueStore(), SeededMarket(settings.market_seed)
        listings = Listings(InstrumentDirectory(database, clock))
        async with database.transaction() as connection:
            rates = MarginRates(await store.margin_rates(connection))
        rounds = Rounds(
            database=database,
            store=store,
            listings=listings,
            market=market,
            sessions=MarketHours() if settings.market_hours else AlwaysOpen(),
            rates=rates,
            clock=clock,
        )
        history = CandleHistory(rounds, clock, settings.market_seed)
        owned = settings.owned
        door_record = DoorRecord()
        executor = PaperExecutor(
            ledger=ledger,
            store=store,
            rounds=rounds,
            clock=clock,
            owns=lambda account_id: partition_of(account_id, settings.partitions) in owned,
            resting=RestingOrders(),
            consumption=Consumption(),
            doors=door_record,
        )
        days = DayChange(database, executor, listings, market, clock)
        lanes = Lanes(database, executor, broker=Broker.PAPER, partitions=settings.partitions, owned=owned)
        executor.ring = lanes.ring
        register(bus.broker, lanes, owned)

        await bus.connect()
        await days.begin_day()
        await executor.restore()
        for partition in sorted(owned):
            await _wait_until_declared(
                bus,
                worker_consumer(Broker.PAPER, partition),
                limit_seconds=settings.topology_wait_seconds,
            )
        await stack.enter_async_context(bus.open())
        await stack.enter_async_context(publisher.running())
        await stack.enter_async_context(MarketFeed(bus, rounds, clock, identifiers).running())
        await stack.enter_async_context(CandleAnswers(bus, rounds, history, clock, identifiers).running())
        await stack.enter_async_context(lanes.running())
        await stack.enter_async_context(bus.draining())
        await stack.enter_async_context(
            _doors(
                settings,
                ledger=ledger,
                executor=executor,
                rounds=rounds,
                record=door_record,
                history=history,
                clock=clock,
            )
        )
        await stack.enter_async_context(DoorReconciler(ledger, door_record, clock).running())
        loops = [asyncio.create_task(executor.watch()), asyncio.create_task(days.watch())]
        try:
            yield executor
        finally:
            await cancel_and_wait(*loops)


@asynccontextmanager
async def _doors(
    settings: PaperExchangeSettings,
    *,
    ledger: Ledger,
    executor: PaperExecutor,
    rounds: Rounds,
    record: DoorRecord,
    history: CandleHistory,
    clock: Clock,
) -> AsyncGenerator[None]:
    """The front doors that a port is set for. Without one this costs nothing, not even its imports."""
    if settings.kite_door_port is None and settings.smartapi_door_port is None:
        yield
        return
    from vyomo_paper_exchange.doors.serving import open_doors  # noqa: PLC0415

    async with open_doors(
        settings,
        ledger=ledger,
        executor=executor,
        rounds=rounds,
        record=record,
        history=history,
        clock=clock,
    ):
        yield


async def _wait_until_declared(bus: Bus, consumer: Consumer, *, limit_seconds: float) -> None:
    """A subscription can only be made to a consumer that exists; its owner may start after us."""
    async with asyncio.timeout(limit_seconds):
        while True:
            try:
                await bus.stored.consumer_info(consumer.stream, consumer.durable_name)
            except NatsError:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return
