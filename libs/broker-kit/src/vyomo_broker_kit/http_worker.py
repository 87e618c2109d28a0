"""The worker of a broker that is spoken to over HTTP: one transport and one way of signing in for each environment it reaches."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from vyomo_broker_kit.access import SignIn
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.signing_in import signing_in
from vyomo_broker_kit.vault import Vault
from vyomo_broker_kit.worker import WorkerParts, WorkerSettings, remote_worker
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener

Transports = Mapping[Environment, OrderTransport]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBroker:
    """What an adapter brings."""

    broker: Broker
    roots: Mapping[Environment, str]
    call_seconds: float
    """Longest a call may take. With what the port does before an order call it must stay below `SendLimits.total_seconds`."""
    sign_in: Callable[[Environment, OrderTransport, Clock], SignIn]
    port: Callable[[Transports, Vault, WorkerParts], BrokerPort]


@asynccontextmanager
async def http_worker(
    settings: WorkerSettings, adapter: HttpBroker, *, keys_dir: Path, reconcile: ReconcileLimits | None = None
) -> AsyncGenerator[None]:
    opener = Opener((keys_dir / PRIVATE_KEY_FILE).read_bytes())

    @asynccontextmanager
    async def opened(parts: WorkerParts) -> AsyncGenerator[BrokerPort]:
        vault = Vault(parts.ledger, opener, parts.clock, broker=adapter.broker)
        async with AsyncExitStack() as stack:
            transports = {
                environment: await stack.enter_async_context(
                    OrderTransport(root, total_seconds=adapter.call_seconds)
                )
                for environment, root in adapter.roots.items()
            }
            sign_ins = {
                environment: adapter.sign_in(environment, transport, parts.clock)
                for environment, transport in transports.items()
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
            yield adapter.port(transports, vault, parts)

    async with remote_worker(settings, adapter.broker, opened, reconcile=reconcile):
        yield
