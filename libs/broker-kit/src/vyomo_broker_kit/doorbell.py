"""The doorbell's handler: note the accounts and acknowledge at once. Everything else happens in the lanes."""

from collections.abc import Callable, Iterable

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker

from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.topology import DOORBELLS, worker_consumer
from vyomo_service_kit.bus import consumer_config


def register_doorbell(
    bus: NatsBroker, *, broker: str, owned: Iterable[int], ring: Callable[[Iterable[int]], None]
) -> None:
    """Hear the bells of the partitions `owned`, and of no others: those are for the workers that own them."""

    async def on_doorbell(message: RingDoorbell) -> None:
        ring(message.account_ids)

    for partition in sorted(owned):
        consumer = worker_consumer(broker, partition)
        bus.subscriber(
            consumer.filter_subject,
            stream=JStream(DOORBELLS.name, declare=False),
            queue=consumer.durable_name,
            config=consumer_config(consumer),
            ack_policy=AckPolicy.MANUAL,
            title=f"Doorbell of {broker}, partition {partition}",
            description="Accounts that have new orders or changes asked for. A hint: it carries no order.",
        )(on_doorbell)
