"""Which handler serves which subject."""

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker

from vyomo_contracts import subjects
from vyomo_contracts.topology import EVENTS, SYNC_CONSUMER
from vyomo_service_kit.bus import consumer_config
from vyomo_sync.handlers import SOURCE, Handlers, decode_positions


def register(broker: NatsBroker, handlers: Handlers) -> None:
    broker.subscriber(subjects.SYNC_POSITIONS, queue=SOURCE)(handlers.sync_positions)
    # The stream's owner is the order-router. The queue's name is the durable consumer's too: sync processes share the work.
    broker.subscriber(
        SYNC_CONSUMER.filter_subject,
        stream=JStream(EVENTS.name, declare=False),
        queue=SYNC_CONSUMER.durable_name,
        config=consumer_config(SYNC_CONSUMER),
        decoder=decode_positions,
        ack_policy=AckPolicy.MANUAL,
    )(handlers.broker_events)
