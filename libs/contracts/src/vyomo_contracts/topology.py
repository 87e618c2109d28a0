"""The streams and durable consumers, as data. One owner declares them (the order-router); everyone else binds.

PostgreSQL is the record, so every stream may be wiped at any moment: doorbells are hints, events are re-emitted by the relay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from vyomo_contracts import subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Fields are JetStream's own; durations are seconds, sizes bytes."""

    name: str
    subjects: tuple[str, ...]
    storage: Literal["file", "memory"]
    retention: Literal["limits", "workqueue"]
    max_age: int
    max_bytes: int
    duplicate_window: int
    discard: Literal["old", "new"] = "old"
    persist_mode: Literal["default", "async"] = "default"
    num_replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A durable push consumer with explicit acknowledgement and unlimited deliveries: a command is never dropped by count."""

    stream: str
    durable_name: str
    filter_subject: str
    ack_wait: int = 10
    max_ack_pending: int = 1024
    max_deliver: int = -1

    @property
    def deliver_subject(self) -> str:
        """Where the server pushes this consumer's messages; fixed, so that subscribers outlive a wiped stream."""
        return f"vyomo.deliver.{self.durable_name}"


DOORBELLS: Final = Stream(
    name="VYOMO_CMD",
    subjects=(subjects.ALL_DOORBELLS,),
    storage="memory",
    retention="workqueue",
    max_age=60,
    max_bytes=16 * 1024 * 1024,
    duplicate_window=2,
)

EVENTS: Final = Stream(
    name="VYOMO_EVT",
    subjects=(subjects.ALL_EVENTS,),
    storage="file",
    retention="limits",
    max_age=7 * 24 * 3600,
    max_bytes=1024 * 1024 * 1024,
    duplicate_window=120,
    # PostgreSQL re-emits what a crash of the bus loses, so the stream need not sync each message.
    persist_mode="async",
)

DEAD_LETTERS: Final = Stream(
    name="VYOMO_DLQ",
    subjects=(subjects.ALL_DEAD_LETTERS,),
    storage="file",
    retention="limits",
    max_age=30 * 24 * 3600,
    max_bytes=64 * 1024 * 1024,
    duplicate_window=120,
)

STREAMS: Final = (DOORBELLS, EVENTS, DEAD_LETTERS)


def worker_consumer(broker: str, partition: int) -> Consumer:
    """One for each partition: its bells reach the worker that owns it, and no other."""
    return Consumer(
        stream=DOORBELLS.name,
        durable_name=f"worker-{broker}-{partition}",
        filter_subject=subjects.doorbell(broker, partition),
    )


def worker_consumers(brokers: Iterable[str], partitions: int) -> tuple[Consumer, ...]:
    return tuple(worker_consumer(broker, partition) for broker in brokers for partition in range(partitions))


SYNC_CONSUMER: Final = Consumer(stream=EVENTS.name, durable_name="sync", filter_subject=subjects.ALL_EVENTS)


def partition_of(account_id: int, partitions: int) -> int:
    """The lane group of an account. Changing the number of partitions needs a drained system."""
    return account_id % partitions
