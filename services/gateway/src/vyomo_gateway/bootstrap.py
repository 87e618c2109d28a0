"""Wiring, and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from vyomo_gateway.accounts.service import AccountService
from vyomo_gateway.app import create_asgi
from vyomo_gateway.audit.service import AuditTrail
from vyomo_gateway.commands import SOURCE, Commands, Envelopes
from vyomo_gateway.events.feed import EventFeed
from vyomo_gateway.events.hub import SessionHub
from vyomo_gateway.events.reads import EventRecord
from vyomo_gateway.events.service import LiveService
from vyomo_gateway.events.watch import OrderWatch
from vyomo_gateway.identity.addresses import Origins, networks_of
from vyomo_gateway.identity.authentication import Authenticator
from vyomo_gateway.identity.browsers import Browsers
from vyomo_gateway.logins.service import LoginService
from vyomo_gateway.logins.states import LoginStates
from vyomo_gateway.market.candles import Candles
from vyomo_gateway.market.quotes import Quotes
from vyomo_gateway.market.service import MarketService
from vyomo_gateway.orders.placing import OrderPlacer
from vyomo_gateway.orders.service import OrderService
from vyomo_gateway.portfolio.service import PortfolioService
from vyomo_gateway.reading import Records
from vyomo_gateway.risk.commands import RiskCommands
from vyomo_gateway.risk.service import RiskService
from vyomo_gateway.sandbox.service import SandboxService
from vyomo_gateway.services import Services
from vyomo_gateway.settings import GatewaySettings
from vyomo_gateway.system.service import HealthService
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.sealing import PEPPER_FILE, PUBLIC_KEY_FILE, Sealer

ROLE = "vyomo_gateway"
POOL_SIZE = 8
STATEMENT_SECONDS = 1.5
"""With the time to get a connection, a dead database is told to the caller within 3 s."""


@asynccontextmanager
async def open_gateway(settings: GatewaySettings) -> AsyncGenerator[ASGIApp]:
    """The application, connected; on leaving, what was begun is finished."""
    clock = SystemClock()
    identifiers = TimeOrderedIdentifiers(clock)
    envelopes = Envelopes(identifiers, clock)
    bus = Bus(settings.nats_url.get_secret_value(), name=SOURCE)
    commands = Commands(bus, envelopes, clock, timeout_seconds=settings.request_timeout_seconds)
    feed = EventFeed(bus)
    quotes = Quotes(bus, envelopes)
    sealer = Sealer((settings.keys_dir / PUBLIC_KEY_FILE).read_bytes())
    pepper = (settings.keys_dir / PEPPER_FILE).read_bytes()

    async with open_database(
        settings.postgres_url.get_secret_value(),
        role=ROLE,
        application=SOURCE,
        max_size=POOL_SIZE,
        acquire_seconds=1.0,
        statement_seconds=STATEMENT_SECONDS,
        lock_seconds=1.0,
    ) as database:
        records = Records(database)
        browsers = Browsers(database, clock)
        authenticator = Authenticator(database, pepper, clock, browsers)
        hub = SessionHub(bus, feed, envelopes, quotes, authenticator)
        events = EventRecord(records)
        orders = OrderService(records, commands, OrderWatch(feed))
        accounts = AccountService(records, commands, sealer)
        services = Services(
            authenticator=authenticator,
            browsers=browsers,
            origins=Origins(networks_of(settings.trusted_proxies)),
            accounts=accounts,
            logins=LoginService(
                accounts,
                LoginStates(database, clock),
                bus,
                envelopes,
                sealer,
                partitions=settings.partitions,
                timeout_seconds=settings.request_timeout_seconds,
            ),
            sandbox=SandboxService(
                database,
                sealer,
                clock,
                {"kite": settings.sandbox_kite_url, "smartapi": settings.sandbox_smartapi_url},
            ),
            orders=orders,
            place_order=OrderPlacer(orders, identifiers),
            portfolio=PortfolioService(records, commands, quotes),
            market=MarketService(records, quotes, Candles(bus, envelopes)),
            risk=RiskService(RiskCommands(bus, envelopes, timeout_seconds=settings.request_timeout_seconds)),
            events=events,
            audit=AuditTrail(records),
            live=LiveService(hub, events, records, quotes),
            health=HealthService(bus, records),
        )
        async with bus.open(), hub.running():
            await feed.rest()
            try:
                yield create_asgi(services)
            finally:
                await commands.drain()
