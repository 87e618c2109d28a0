"""The worker of a broker that is spoken to over HTTP: one transport and one way of signing in for each environment it reaches."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vyomo_broker_kit.access import Access, SignIn
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.instruments.master import InstrumentMaster, MasterSource, Parser
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import BrokerPort, SessionOverError
from vyomo_broker_kit.routes import Routes
from vyomo_broker_kit.signing_in import signing_in
from vyomo_broker_kit.vault import Vault
from vyomo_broker_kit.worker import WorkerParts, WorkerSettings, remote_worker
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener

MERGE_SECONDS: Final = 60.0
"""Longest that putting a new list in the old one's place may take."""

_SIGNED_IN: Final = """
SELECT s.account_id FROM accounts.broker_sessions s JOIN accounts.broker_accounts a ON a.id = s.account_id
WHERE s.broker = $1 AND a.is_active AND a.environment = 'live' AND s.state IN ('ACTIVE', 'EXPIRING')
ORDER BY s.account_id LIMIT 5
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBroker:
    """What an adapter brings."""

    broker: Broker
    roots: Mapping[Environment, str]
    call_seconds: float
    """Longest a call may take. With what the port does before an order call it must stay below `SendLimits.total_seconds`."""
    sign_in: Callable[[Environment, OrderTransport, Clock], SignIn]
    port: Callable[[Routes, Vault, WorkerParts], BrokerPort]
    master_url: str
    """Where its list of instruments is, for live accounts."""
    master: Parser
    master_headers: Callable[[Access], Mapping[str, str]] | None = None
    """What a session adds to the asking, where it must or may; None where the list is anyone's to read."""


@asynccontextmanager
async def http_worker(
    settings: WorkerSettings, adapter: HttpBroker, *, keys_dir: Path, reconcile: ReconcileLimits | None = None
) -> AsyncGenerator[None]:
    opener = Opener((keys_dir / PRIVATE_KEY_FILE).read_bytes())

    @asynccontextmanager
    async def opened(parts: WorkerParts) -> AsyncGenerator[BrokerPort]:
        vault = Vault(parts.ledger, opener, parts.clock, broker=adapter.broker)
        async with AsyncExitStack() as stack:
            routes = await stack.enter_async_context(Routes(adapter.roots, call_seconds=adapter.call_seconds))
            sign_ins = {
                environment: adapter.sign_in(environment, transport, parts.clock)
                for environment, transport in routes.direct.items()
            }
            await stack.enter_async_context(
                signing_in(
                    parts,
                    vault,
                    sign_ins.get,
                    broker=adapter.broker,
                    partitions=settings.partitions,
                    owned=settings.owned,
                )
            )
            master = InstrumentMaster(
                parts.database,
                parts.clock,
                broker=adapter.broker,
                source=_master_of(adapter, vault, parts.database),
                parser=adapter.master,
                merging=lambda: open_database(
                    settings.postgres_url.get_secret_value(),
                    role="vyomo_worker",
                    application=f"instruments-{adapter.broker}",
                    max_size=1,
                    statement_seconds=MERGE_SECONDS,
                ),
            )
            await stack.enter_async_context(master.running())
            yield adapter.port(routes, vault, parts)

    async with remote_worker(settings, adapter.broker, opened, reconcile=reconcile):
        yield


def _master_of(adapter: HttpBroker, vault: Vault, database: Database) -> MasterSource:
    async def source() -> tuple[str, Mapping[str, str]]:
        if adapter.master_headers is None:
            return adapter.master_url, {}
        async with database.connection() as connection:
            rows = await connection.fetch(_SIGNED_IN, adapter.broker)
        for row in rows:
            with suppress(SessionOverError):
                return adapter.master_url, adapter.master_headers(await vault.of_account(row["account_id"]))
        return adapter.master_url, {}

    return source
