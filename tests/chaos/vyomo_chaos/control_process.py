"""The control: a worker as most people would write it, which the same faults must catch doubling orders.

It takes what is NEW, sends it, tries again when it hears nothing good, and only then writes down that it was sent. No claim before
the call, no unknown outcome. A run in which it doubles nothing has not tested anything.

python -m vyomo_chaos.control_process ANGEL URL
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.outcomes import Accepted, Refused
from vyomo_broker_kit.testing.scripted_port import ScriptedBrokerPort
from vyomo_broker_kit.worker import WorkerSettings
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.writing import EventPublisher, Ledger, Step
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import RecordUnavailableError, open_database
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import cancel_and_wait, repeat, run_service

from .worker_process import CALL_SECONDS

TRIES: Final = 3
_NEW: Final = """
SELECT account_id, order_id FROM ledger.broker_orders
WHERE broker = $1 AND state = 'NEW' AND expires_at > now() ORDER BY id LIMIT 8
"""

log = structlog.get_logger()


class NaiveWorker:
    def __init__(self, ledger: Ledger, port: ScriptedBrokerPort, clock: SystemClock, broker: Broker) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._broker = broker

    async def run_once(self) -> None:
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(_NEW, self._broker)
        async with self._ledger.transaction() as transaction:
            orders = await transaction.lock((row["account_id"], row["order_id"]) for row in rows)
        await asyncio.gather(*map(self._send, orders.values()))

    async def _send(self, order: Order) -> None:
        outcome = await self._port.place(order)
        for _ in range(TRIES - 1):
            if isinstance(outcome, Accepted | Refused):
                break
            outcome = await self._port.place(order)
        try:
            await self._note(order, accepted=isinstance(outcome, Accepted))
        except RecordUnavailableError as error:
            log.warning("control.not_noted", order_id=order.order_id, why=str(error))

    async def _note(self, order: Order, *, accepted: bool) -> None:
        state = OrderState.FILLED if accepted else OrderState.REJECTED
        update = OrderUpdate(
            state=state,
            at=self._clock.now(),
            filled_quantity=order.quantity if accepted else None,
            average_price=order.price if accepted else None,
        )
        async with self._ledger.transaction() as transaction:
            locked = await transaction.lock([(order.account_id, order.order_id)])
            transaction.step([Step(order=locked[order.order_id], update=update)])


@asynccontextmanager
async def control(settings: WorkerSettings, broker: Broker, url: str) -> AsyncGenerator[None]:
    configure_logging(f"control-{broker}", log_format=settings.log_format, level=settings.log_level)
    clock, name = SystemClock(), f"control-{broker}"
    bus = Bus(settings.nats_url.get_secret_value(), name=name)
    async with (
        open_database(
            settings.postgres_url.get_secret_value(), role="vyomo_worker", application=name
        ) as database,
        OrderTransport(url, total_seconds=CALL_SECONDS) as transport,
        bus.open(),
    ):
        publisher = EventPublisher(bus, database, clock, TimeOrderedIdentifiers(clock), source=name)
        async with publisher.running():
            ledger = Ledger(database, publisher, partitions=settings.partitions)
            naive = NaiveWorker(ledger, ScriptedBrokerPort(transport, clock), clock, broker)
            loop = asyncio.create_task(repeat(naive.run_once, every_seconds=0.1, name=name))
            try:
                yield
            finally:
                await cancel_and_wait(loop)


if __name__ == "__main__":
    broker, url = Broker(sys.argv[1]), sys.argv[2]
    run_service(lambda: control(WorkerSettings(), broker, url))  # pyright: ignore[reportCallIssue]
