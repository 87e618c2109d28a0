"""The only place where this service is put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_service_kit.bus import Bus, wait_for_consumer
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.logging import configure_logging
from vyomo_sync.app import register
from vyomo_sync.handlers import SOURCE, Handlers
from vyomo_sync.mirroring import Mirroring
from vyomo_sync.settings import SyncSettings


@asynccontextmanager
async def service(settings: SyncSettings | None = None) -> AsyncGenerator[None]:
    settings = settings or SyncSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    clock = SystemClock()
    bus = Bus(settings.nats_url.get_secret_value(), name=f"vyomo-{SOURCE}")
    async with open_database(
        settings.postgres_url.get_secret_value(), role="vyomo_sync", application=f"vyomo-{SOURCE}", max_size=2
    ) as database:
        register(bus.broker, Handlers(Mirroring(database, clock), clock, TimeOrderedIdentifiers(clock)))
        await bus.connect()
        await wait_for_consumer(bus.stored, SYNC_CONSUMER, limit_seconds=settings.topology_wait_seconds)
        async with bus.open():
            # The server knows our subscriptions before anyone is told that we are ready.
            await bus.client.flush()
            yield
