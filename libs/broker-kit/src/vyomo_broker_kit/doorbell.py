"""The doorbell's handler: note the accounts and acknowledge at once. Everything else happens in the lanes."""

from collections.abc import Callable, Iterable

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.topology import DOORBELLS, worker_consumer
from vyomo_service_kit.bus import consumer_config


def register_doorbell(bus: NatsBroker, *, broker: str, ring: Callable[[Iterable[int]], None]) -> None:
    consumer = worker_consumer(broker)

    @bus.subscriber(
        subjects.doorbells_of(broker),
        stream=JStream(DOORBELLS.name, declare=False),
        queue=consumer.durable_name,
        config=consumer_config(consumer),
        ack_policy=AckPolicy.MANUAL,
        title=f"Doorbell of {broker}",
        description="Accounts that have new orders or changes asked for. A hint: it carries no order.",
    )
    async def on_doorbell(message: RingDoorbell) -> None:
        ring(message.account_ids)
