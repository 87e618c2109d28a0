"""The router's wiring, in one place."""

import asyncio
import platform
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from vyomo_contracts.capabilities import CAPABILITIES, OrderRate
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.topology import EVENTS, SYNC_CONSUMER, worker_consumers
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.auditing import AnchorFile
from vyomo_ledger.instruments import Markets
from vyomo_ledger.writing import Controls, EventPublisher, Halting, Ledger
from vyomo_ledger.writing.dead_letters import DeadLetterCare
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.relay import Relay
from vyomo_ledger.writing.sealer import LEASE, AuditSealer, AuditWatch
from vyomo_ledger.writing.stream_audit import EVERY_SECONDS, StreamAudit
from vyomo_ledger.writing.sweeper import Sweeper
from vyomo_order_router.accounts import AccountService
from vyomo_order_router.adapters.accounts import AccountStore
from vyomo_order_router.adapters.prices import LastPrices
from vyomo_order_router.adapters.risk import RiskStore
from vyomo_order_router.advisories import Advisories
from vyomo_order_router.assessing import Assessing
from vyomo_order_router.breaking import BrokerBreakers
from vyomo_order_router.brokers import EVERY_SECONDS as BROKERS_SECONDS
from vyomo_order_router.brokers import BrokersInUse
from vyomo_order_router.changing import OrderChanging
from vyomo_order_router.controlling import Controlling
from vyomo_order_router.doorbell import Doorbell
from vyomo_order_router.durability import EVERY_SECONDS as DURABILITY_SECONDS
from vyomo_order_router.durability import DurabilityGauge
from vyomo_order_router.exiting import Exiting
from vyomo_order_router.handlers import SOURCE, Replying, register_handlers
from vyomo_order_router.loops import Loop, running
from vyomo_order_router.placing import OrderPlacing
from vyomo_order_router.pressure import Pressure, PressureGauge
from vyomo_order_router.risk_handlers import register_risk_handlers
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_order_router.watching import RiskWatch
from vyomo_service_kit.bus import Bus, declare_topology
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.notify import Notifier
from vyomo_service_kit.record_clock import RecordClock

TOPOLOGY_SECONDS = 5.0
AUDIT_SECONDS = 5.0
"""How often it is asked whether the hourly pass is due."""
LOCK_SECONDS = 1.0
"""Twice this, for a list and then for its busy account alone, is within what a caller waits for its answer."""


@asynccontextmanager
async def order_router(settings: OrderRouterSettings) -> AsyncGenerator[None]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    clock = RecordClock(SystemClock())
    identifiers = TimeOrderedIdentifiers(clock)
    bus = Bus(settings.nats_url.get_secret_value(), name=SOURCE)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                settings.postgres_url.get_secret_value(),
                role="vyomo_router",
                application=SOURCE,
                max_size=6,
                lock_seconds=LOCK_SECONDS,
            )
        )
        await stack.enter_async_context(clock.following(database))
        publisher = EventPublisher(bus, database, clock, identifiers, source=SOURCE)
        ledger = Ledger(database, publisher, partitions=settings.partitions)
        accounts = AccountStore(database, clock)
        markets = Markets(database, clock)
        doorbell = Doorbell(bus, clock, identifiers, partitions=settings.partitions)
        prices = LastPrices(bus, clock, identifiers)
        risk = RiskStore(
            database,
            defaults=RiskLimits(max_order_value=settings.max_order_value),
            rates=order_rates(settings),
        )
        assessing = Assessing(risk, prices, clock)
        pressure = Pressure(max_waiting_orders=settings.max_waiting_orders)
        durability = DurabilityGauge(database, pressure, nats_monitor_url=settings.nats_monitor_url)
        placing = OrderPlacing(
            ledger=ledger,
            accounts=risk,
            markets=markets,
            doorbell=doorbell,
            assessing=assessing,
            clock=clock,
            identifiers=identifiers,
            settings=settings,
            pressure=pressure,
        )
        changing = OrderChanging(ledger, markets, doorbell, assessing, clock)
        controls = Controls(database, publisher)
        switched = asyncio.Event()
        replying = Replying(clock, identifiers)
        register_handlers(bus.broker, placing, changing, AccountService(accounts), replying)
        register_risk_handlers(
            bus.broker,
            Controlling(controls, risk, clock, switched),
            Exiting(controls, risk, markets, placing, clock),
            replying,
        )

        # The machine's name: a router that is started again goes on at once with what its last life held. Two on one machine both
        # do what one would, which is harmless.
        holder = platform.node()
        stream_audit = StreamAudit(
            database, bus, Lease(database, name="stream-audit", holder=holder), partitions=settings.partitions
        )

        consumers = (*worker_consumers(Broker, settings.partitions), SYNC_CONSUMER)

        async def declare() -> None:
            if EVENTS.name in await declare_topology(bus.stored, consumers):
                stream_audit.stream_is_new()

        await bus.connect()
        await declare()
        bus.on_reconnected(declare)
        await stack.enter_async_context(bus.open())
        await stack.enter_async_context(publisher.running())
        await stack.enter_async_context(Advisories(bus, database, queue=SOURCE).running())
        await stack.enter_async_context(bus.draining())

        care = DeadLetterCare(
            ledger, bus, clock, identifiers, Lease(database, name="dead-letters", holder=holder)
        )
        sealer = AuditSealer(database, clock, Lease(database, name=LEASE, holder=holder))
        anchors = None if settings.audit_anchors is None else AnchorFile(settings.audit_anchors)
        audit = AuditWatch(database, clock, sealer, anchors, every_seconds=settings.audit_verify_seconds)
        loops = [
            Loop("relay", Relay(database, publisher, Lease(database, name="relay", holder=holder)).run_once),
            Loop(
                "sweeper",
                Sweeper(
                    ledger, clock, Lease(database, name="sweeper", holder=holder), doorbell.ring
                ).run_once,
            ),
            Loop("halting", Halting(ledger, clock, doorbell.ring).run_once, wake=switched),
            Loop("durability", durability.run_once, every_seconds=DURABILITY_SECONDS),
            Loop(
                "brokers",
                BrokersInUse(database, Notifier.from_environment()).run_once,
                every_seconds=BROKERS_SECONDS,
            ),
            Loop("pressure", PressureGauge(database, pressure).run_once),
            Loop("audit.seal", sealer.run_once),
            Loop("audit.verify", audit.run_once, every_seconds=AUDIT_SECONDS),
            Loop(
                "risk",
                RiskWatch(
                    controls, risk, prices, clock, Lease(database, name="risk", holder=holder)
                ).run_once,
            ),
            Loop("breakers", BrokerBreakers(controls, ledger, clock).run_once),
            Loop("stream-audit", stream_audit.run_once, every_seconds=EVERY_SECONDS, wake=stream_audit.due),
            Loop("dead-letters", care.run_once),
            Loop("topology", declare, every_seconds=TOPOLOGY_SECONDS),
        ]
        await stack.enter_async_context(running(loops))
        yield


def order_rates(settings: OrderRouterSettings) -> dict[Broker, OrderRate]:
    """The capability table, with what the settings say instead."""
    rates: dict[Broker, OrderRate] = {}
    for broker, capabilities in CAPABILITIES.items():
        rate = capabilities.order_rate
        told = settings.broker_orders_per_second if rate.is_brokers else settings.paper_orders_per_second
        rates[broker] = rate.model_copy(update={"per_second": told or rate.per_second})
    return rates
