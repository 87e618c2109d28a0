"""Ringing at the workers: which accounts have something to do. A hint, published after the commit."""

import asyncio
from collections.abc import Iterable

import structlog

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.topology import partition_of
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.identifiers import IdentifierFactory

log = structlog.get_logger()


class Doorbell:
    def __init__(self, bus: Bus, clock: Clock, identifiers: IdentifierFactory, *, partitions: int) -> None:
        self._bus = bus
        self._clock = clock
        self._identifiers = identifiers
        self._partitions = partitions
        self._ringing: set[asyncio.Task[None]] = set()

    def ring_soon(self, broker: str, account_ids: Iterable[int]) -> None:
        """As soon as the present step is over: whoever waits for an answer is told before the worker begins to work on it.

        A bell that is lost with this process costs the half second until workers look by themselves.
        """
        task = asyncio.create_task(self.ring(broker, account_ids))
        self._ringing.add(task)
        task.add_done_callback(self._has_rung)

    def _has_rung(self, task: asyncio.Task[None]) -> None:
        self._ringing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("doorbell.not_rung", why=repr(error))

    async def ring(self, broker: str, account_ids: Iterable[int]) -> None:
        groups: dict[int, set[int]] = {}
        for account_id in account_ids:
            groups.setdefault(partition_of(account_id, self._partitions), set()).add(account_id)
        for partition, accounts in groups.items():
            message_id = self._identifiers.message_id()
            await self._bus.publish(
                subjects.doorbell(broker, partition),
                RingDoorbell(
                    id=message_id,
                    type=RingDoorbell.TYPE,
                    time=self._clock.now(),
                    correlation_id=message_id,
                    source="order-router",
                    account_ids=tuple(sorted(accounts)),
                ),
            )
