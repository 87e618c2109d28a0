"""The real worker of a broker elsewhere, on the misbehaving broker.

python -m vyomo_chaos.worker_process ZERODHA URL SETTLE_SECONDS
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.remote import SendLimits
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort
from vyomo_broker_kit.testing.signing_in import signing_in
from vyomo_broker_kit.worker import WorkerSettings, remote_worker
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import run_service

CALL_SECONDS = 3.0


@asynccontextmanager
async def worker(
    settings: WorkerSettings, broker: Broker, url: str, settle_seconds: float
) -> AsyncGenerator[None]:
    configure_logging(f"worker-{broker}", log_format=settings.log_format, level=settings.log_level)
    async with OrderTransport(url, total_seconds=CALL_SECONDS) as transport:
        port = ScriptedBrokerPort(transport, SystemClock())
        limits = SendLimits(total_seconds=CALL_SECONDS)
        reconcile = ReconcileLimits(settle_seconds=settle_seconds)
        async with remote_worker(
            settings,
            broker,
            port,
            limits=limits,
            reconcile=reconcile,
            beside=lambda parts: signing_in(parts.ledger, parts.clock, broker),
        ):
            yield


if __name__ == "__main__":
    broker, url, settle_seconds = Broker(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    run_service(lambda: worker(WorkerSettings(), broker, url, settle_seconds))  # pyright: ignore[reportCallIssue]
