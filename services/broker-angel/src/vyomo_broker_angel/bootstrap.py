"""The Angel One worker's wiring, in one place."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from vyomo_broker_angel.client import PREPARE_SECONDS, SmartPort
from vyomo_broker_angel.naming import AngelNames
from vyomo_broker_angel.session import AngelSignIn
from vyomo_broker_angel.settings import AngelSettings
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.signing_in import signing_in
from vyomo_broker_kit.vault import Vault
from vyomo_broker_kit.worker import WorkerParts, remote_worker
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener

SOURCE: Final = "broker-angel"
READING: Final = ReconcileLimits(read_gap_seconds=1.2, working_seconds=2.0, recheck_seconds=6.0)
"""Each of Angel One's books may be read once a second."""


@asynccontextmanager
async def broker_angel(
    settings: AngelSettings, *, reconcile: ReconcileLimits = READING
) -> AsyncGenerator[None]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    opener = Opener((settings.keys_dir / PRIVATE_KEY_FILE).read_bytes())
    roots = {Environment.LIVE: settings.smartapi_url}
    if settings.sandbox_smartapi_url is not None:
        roots[Environment.SANDBOX] = settings.sandbox_smartapi_url.rstrip("/")

    @asynccontextmanager
    async def adapter(parts: WorkerParts) -> AsyncGenerator[BrokerPort]:
        vault = Vault(parts.ledger, opener, parts.clock, broker=Broker.ANGEL)
        names = AngelNames(InstrumentDirectory(parts.database, parts.clock), parts.database)
        async with AsyncExitStack() as stack:
            transports = {
                environment: await stack.enter_async_context(
                    OrderTransport(root, total_seconds=SendLimits().total_seconds - PREPARE_SECONDS)
                )
                for environment, root in roots.items()
            }
            sign_ins = {
                environment: AngelSignIn(transport, parts.clock)
                for environment, transport in transports.items()
            }
            await stack.enter_async_context(
                signing_in(
                    parts,
                    vault,
                    sign_ins.get,
                    broker=Broker.ANGEL,
                    partitions=settings.partitions,
                    owned=settings.owned,
                )
            )
            yield SmartPort(transports, vault, names, parts.clock)

    async with remote_worker(settings, Broker.ANGEL, adapter, reconcile=reconcile):
        yield
