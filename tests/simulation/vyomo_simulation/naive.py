"""The control: what one writes without thinking of crashes. It must make duplicates, or the harness sees nothing."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from vyomo_broker_kit.outcomes import Unknown
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.updates import update_of_placing
from vyomo_contracts.orders import Order
from vyomo_ledger.writing import Ledger, Step
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

TRIES = 3


class NaiveExecutor:
    """Takes what is NEW, sends it, sends again when the answer is unclear, and writes down what came of it."""

    def __init__(
        self, ledger: Ledger, port: BrokerPort, clock: Clock, *, look: Callable[[int], None]
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._look = look
        self._busy: set[str] = set()
        self._calls: set[asyncio.Task[None]] = set()

    async def run(self, account_ids: Sequence[int]) -> None:
        async with self._ledger.transaction() as transaction:
            waiting = await transaction.claim(account_ids, per_account=16)
        for order in waiting.orders:
            if order.order_id not in self._busy:
                self._busy.add(order.order_id)
                task = asyncio.create_task(self._place(order))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)

    async def _place(self, order: Order) -> None:
        try:
            outcome = await self._port.place(order)
            for _ in range(TRIES - 1):
                if isinstance(outcome, Unknown):
                    outcome = await self._port.place(order)
            async with self._ledger.transaction() as transaction:
                locked = await transaction.lock([(order.account_id, order.order_id)])
                update = update_of_placing(outcome, self._clock.now())
                transaction.step([Step(order=locked[order.order_id], update=update)])
            self._look(order.account_id)
        except UnavailableError as error:
            log.warning("naive.outcome_lost", order_id=order.order_id, why=str(error))
        finally:
            self._busy.discard(order.order_id)
