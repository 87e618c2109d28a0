"""A worker on a scripted broker, both in this process, for benchmarks and demonstrations.

python -m vyomo_broker_kit.testing --broker zerodha --delay 0
"""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import SendLimits
from vyomo_broker_kit.testing.behaviour import Behaviour
from vyomo_broker_kit.testing.scripted_broker import ScriptedBroker
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort
from vyomo_broker_kit.testing.signing_in import signing_in
from vyomo_broker_kit.worker import WorkerSettings, remote_worker, through
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import run_service


@asynccontextmanager
async def scripted_worker(
    settings: WorkerSettings, broker: Broker, delay_seconds: float
) -> AsyncGenerator[None]:
    configure_logging(f"worker-{broker}", log_format=settings.log_format, level=settings.log_level)
    scripted = ScriptedBroker(default=Behaviour(delay_seconds=delay_seconds))
    async with scripted.serving(), OrderTransport(scripted.url, total_seconds=7) as transport:
        port = ScriptedBrokerPort(transport, SystemClock())
        async with remote_worker(
            settings,
            broker,
            through(port),
            limits=SendLimits(),
            beside=lambda parts: signing_in(parts.ledger, parts.clock, broker),
        ):
            yield


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A broker worker on a scripted broker.")
    parser.add_argument("--broker", type=Broker, default=Broker.ZERODHA)
    parser.add_argument(
        "--delay", type=float, default=0.0, help="seconds the broker takes to answer a place call"
    )
    chosen = parser.parse_args()
    run_service(lambda: scripted_worker(WorkerSettings(), chosen.broker, chosen.delay))  # pyright: ignore[reportCallIssue]
