"""Whether events wait for this service."""

from nats.errors import Error as NatsError

from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_service_kit.bus import Bus


async def do_events_wait(bus: Bus) -> bool:
    """False also while nobody can tell: a bus that is down or was wiped brings nothing."""
    if not bus.is_connected:
        return False
    try:
        info = await bus.stored.consumer_info(SYNC_CONSUMER.stream, SYNC_CONSUMER.durable_name)
    except (NatsError, OSError, TimeoutError):
        return False
    return bool(info.num_pending or info.num_ack_pending)
