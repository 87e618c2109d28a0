"""The Angel One worker's wiring, in one place."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from vyomo_broker_angel import instruments
from vyomo_broker_angel.client import PREPARE_SECONDS, SmartPort
from vyomo_broker_angel.naming import AngelNames
from vyomo_broker_angel.session import AngelSignIn
from vyomo_broker_angel.settings import AngelSettings
from vyomo_broker_kit.http_worker import HttpBroker, http_worker
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.routes import Routes
from vyomo_broker_kit.vault import Vault
from vyomo_broker_kit.worker import WorkerParts
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_service_kit.logging import configure_logging

SOURCE: Final = "broker-angel"
READING: Final = ReconcileLimits(read_gap_seconds=1.2, working_seconds=2.0, recheck_seconds=6.0)
"""Each of Angel One's books may be read once a second."""


@asynccontextmanager
async def broker_angel(
    settings: AngelSettings, *, reconcile: ReconcileLimits = READING
) -> AsyncGenerator[None]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    roots = {Environment.LIVE: settings.smartapi_url}
    if settings.sandbox_smartapi_url is not None:
        roots[Environment.SANDBOX] = settings.sandbox_smartapi_url.rstrip("/")

    def port(routes: Routes, vault: Vault, parts: WorkerParts) -> SmartPort:
        names = AngelNames(InstrumentDirectory(parts.database, parts.clock), parts.database, parts.clock)
        return SmartPort(routes, vault, names, parts.clock)

    adapter = HttpBroker(
        broker=Broker.ANGEL,
        roots=roots,
        call_seconds=SendLimits().total_seconds - PREPARE_SECONDS,
        sign_in=lambda _, transport, clock: AngelSignIn(transport, clock),
        port=port,
        master_url=settings.smartapi_master_url,
        master=instruments.listed,
    )
    async with http_worker(settings, adapter, keys_dir=settings.keys_dir, reconcile=reconcile):
        yield
