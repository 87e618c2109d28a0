"""The real worker of a broker elsewhere, on the misbehaving broker.

python -m vyomo_chaos.worker_process ZERODHA URL SETTLE_SECONDS
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort
from vyomo_broker_kit.worker import WorkerSettings, remote_worker, through
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger, open_session
from vyomo_service_kit.clock import Clock, SystemClock
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import cancel_and_wait, repeat, run_service

CALL_SECONDS = 3.0
_SIGNED_OUT = """
SELECT account_id FROM ledger.lanes
WHERE broker = $1 AND lane = 'CLAIM' AND (session_until > now()) IS NOT TRUE ORDER BY account_id
"""


@asynccontextmanager
async def signing_in_again(ledger: Ledger, clock: Clock, broker: Broker) -> AsyncGenerator[None]:
    """Whoever's session has ended signs in again, as often as it takes."""

    async def sign_in() -> None:
        async with ledger.database.connection() as connection:
            rows = await connection.fetch(_SIGNED_OUT, broker)
        now = clock.now()
        for row in rows:
            async with ledger.transaction() as transaction:
                await open_session(
                    transaction, row["account_id"], valid_until=now + timedelta(days=1), at=now
                )

    looking = asyncio.create_task(repeat(sign_in, every_seconds=0.5, name="signing_in_again"))
    try:
        yield
    finally:
        await cancel_and_wait(looking)


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
            through(port),
            limits=limits,
            reconcile=reconcile,
            beside=lambda parts: signing_in_again(parts.ledger, parts.clock, broker),
        ):
            yield


if __name__ == "__main__":
    broker, url, settle_seconds = Broker(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    run_service(lambda: worker(WorkerSettings(), broker, url, settle_seconds))  # pyright: ignore[reportCallIssue]
