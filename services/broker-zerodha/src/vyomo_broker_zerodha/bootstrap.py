"""The Zerodha worker's wiring, in one place."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.signing_in import signing_in
from vyomo_broker_kit.vault import Vault
from vyomo_broker_kit.worker import WorkerParts, remote_worker
from vyomo_broker_zerodha.client import KitePort
from vyomo_broker_zerodha.session import KiteSignIn
from vyomo_broker_zerodha.settings import ZerodhaSettings
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener

SOURCE: Final = "broker-zerodha"
_LOGIN_PATH: Final = "/connect/login"


@asynccontextmanager
async def broker_zerodha(
    settings: ZerodhaSettings, *, reconcile: ReconcileLimits | None = None
) -> AsyncGenerator[None]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    opener = Opener((settings.keys_dir / PRIVATE_KEY_FILE).read_bytes())
    roots = {Environment.LIVE: (settings.kite_url, settings.kite_login_url)}
    if settings.sandbox_kite_url is not None:
        root = settings.sandbox_kite_url.rstrip("/")
        roots[Environment.SANDBOX] = (root, f"{root}{_LOGIN_PATH}")

    @asynccontextmanager
    async def adapter(parts: WorkerParts) -> AsyncGenerator[BrokerPort]:
        vault = Vault(parts.ledger, opener, parts.clock, broker=Broker.ZERODHA)
        async with AsyncExitStack() as stack:
            transports = {
                environment: await stack.enter_async_context(
                    OrderTransport(root, total_seconds=SendLimits().total_seconds)
                )
                for environment, (root, _) in roots.items()
            }
            sign_ins = {
                environment: KiteSignIn(transports[environment], parts.clock, login_page=login_page)
                for environment, (_, login_page) in roots.items()
            }
            await stack.enter_async_context(
                signing_in(
                    parts,
                    vault,
                    sign_ins.get,
                    broker=Broker.ZERODHA,
                    partitions=settings.partitions,
                    owned=settings.owned,
                )
            )
            yield KitePort(transports, vault)

    async with remote_worker(settings, Broker.ZERODHA, adapter, reconcile=reconcile):
        yield
