"""Ringing at the workers: which accounts have something to do. A hint, published after the commit."""

from collections.abc import Iterable

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.topology import partition_of
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.identifiers import IdentifierFactory


class Doorbell:
    def __init__(self, bus: Bus, clock: Clock, identifiers: IdentifierFactory, *, partitions: int) -> None:
        self._bus = bus
        self._clock = clock
        self._identifiers = identifiers
        self._partitions = partitions

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
