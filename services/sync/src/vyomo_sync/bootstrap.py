"""The only place where this service is put together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_ledger.dead_letters import DeadLetterBox
from vyomo_service_kit.bus import Bus, wait_for_consumer
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import cancel_and_wait, repeat
from vyomo_sync.adapters.backlog import do_events_wait
from vyomo_sync.app import register
from vyomo_sync.handlers import SOURCE, Handlers
from vyomo_sync.mirroring import Mirroring
from vyomo_sync.reconciling import Reconciling
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
        bus.keep_dead_letter = DeadLetterBox(database).keep
        mirroring = Mirroring(database, clock)
        register(bus.broker, Handlers(mirroring, clock, TimeOrderedIdentifiers(clock)))
        reconciling = Reconciling(database, mirroring, partial(do_events_wait, bus))
        look = asyncio.Event()

        async def look_now() -> None:
            look.set()

        bus.on_reconnected(look_now)
        await bus.connect()
        await wait_for_consumer(bus.stored, SYNC_CONSUMER, limit_seconds=settings.topology_wait_seconds)
        async with bus.open(), bus.draining():
            loop = asyncio.create_task(
                repeat(
                    reconciling.run_once,
                    every_seconds=settings.reconcile_seconds,
                    name="sync.reconcile",
                    wake=look,
                )
            )
            try:
                yield
            finally:
                await cancel_and_wait(loop)
