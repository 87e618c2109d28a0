"""Streams and consumers as the contracts declare them, on a real server."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from faststream import AckPolicy
from faststream.nats import JStream

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.topology import DOORBELLS, STREAMS, SYNC_CONSUMER, Consumer, Stream, worker_consumer
from vyomo_service_kit.bus import Bus, consumer_config, declare_topology, wait_for_consumer
from vyomo_service_kit.testing import eventually

CONSUMERS = (worker_consumer("paper", 0), SYNC_CONSUMER)


@asynccontextmanager
async def listening(nats_url: str, heard: list[int]) -> AsyncGenerator[Bus]:
    """A running durable push subscription, as workers have one."""
    consumer = CONSUMERS[0]
    bus = Bus(nats_url, name="test")

    @bus.broker.subscriber(
        consumer.filter_subject,
        stream=JStream(DOORBELLS.name, declare=False),
        queue=consumer.durable_name,
        config=consumer_config(consumer),
        ack_policy=AckPolicy.MANUAL,
    )
    async def hear(message: RingDoorbell) -> None:
        heard.extend(message.account_ids)

    await bus.connect()
    await declare_topology(bus.stored, CONSUMERS)
    async with bus.open():
        yield bus


async def test_declaring_twice_changes_nothing(caller: Bus) -> None:
    await declare_topology(caller.stored, CONSUMERS)
    before = await caller.stored.streams_info()
    await declare_topology(caller.stored, CONSUMERS)
    after = await caller.stored.streams_info()

    assert {each.config.name for each in after} == {stream.name for stream in STREAMS}
    assert [each.config for each in after] == [each.config for each in before]
    assert [each.created for each in after] == [each.created for each in before]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
async def test_stream_has_the_limits_it_was_declared_with(caller: Bus, stream: Stream) -> None:
    await declare_topology(caller.stored, CONSUMERS)

    config = (await caller.stored.stream_info(stream.name)).config

    assert (config.subjects, config.storage, config.retention) == (
        list(stream.subjects),
        stream.storage,
        stream.retention,
    )
    assert (config.max_age, config.max_bytes, config.duplicate_window, config.discard) == (
        stream.max_age,
        stream.max_bytes,
        stream.duplicate_window,
        stream.discard,
    )


async def test_stream_that_differs_is_brought_to_what_is_declared(caller: Bus) -> None:
    await declare_topology(caller.stored, CONSUMERS)
    known = (await caller.stored.stream_info(DOORBELLS.name)).config
    await caller.stored.update_stream(known, max_bytes=1024 * 1024)

    await declare_topology(caller.stored, CONSUMERS)

    assert (await caller.stored.stream_info(DOORBELLS.name)).config.max_bytes == DOORBELLS.max_bytes


async def test_subscription_goes_on_after_its_stream_was_wiped_and_declared_anew(
    nats_url: str, doorbell: Callable[..., RingDoorbell]
) -> None:
    heard: list[int] = []
    async with listening(nats_url, heard) as bus:
        subject = subjects.doorbell("paper", 0)
        await bus.store(subject, doorbell(1).model_dump_json().encode(), message_id="1")
        await eventually(lambda: heard == [1])

        await bus.stored.delete_stream(DOORBELLS.name)
        await declare_topology(bus.stored, CONSUMERS)
        await bus.store(subject, doorbell(2).model_dump_json().encode(), message_id="2")

        await eventually(lambda: heard == [1, 2])


async def test_waiting_for_a_consumer_ends_when_its_owner_has_declared_it(caller: Bus) -> None:
    with pytest.raises(TimeoutError):
        await wait_for_consumer(caller.stored, SYNC_CONSUMER, limit_seconds=0.15)

    await declare_topology(caller.stored, CONSUMERS)

    await wait_for_consumer(caller.stored, SYNC_CONSUMER, limit_seconds=1)


async def test_consumer_of_an_earlier_version_that_takes_all_partitions_makes_way(
    caller: Bus, doorbell: Callable[..., RingDoorbell], nats_url: str
) -> None:
    await declare_topology(caller.stored, ())
    await caller.stored.delete_stream(DOORBELLS.name)
    await declare_topology(caller.stored, ())
    earlier = Consumer(
        stream=DOORBELLS.name, durable_name="worker-paper", filter_subject="vyomo.v1.cmd.broker.paper.*"
    )
    await caller.stored.add_consumer(earlier.stream, config=consumer_config(earlier))

    heard: list[int] = []
    async with listening(nats_url, heard) as bus:
        await bus.store(
            subjects.doorbell("paper", 0), doorbell(1).model_dump_json().encode(), message_id="earlier"
        )
        await eventually(lambda: heard == [1])
