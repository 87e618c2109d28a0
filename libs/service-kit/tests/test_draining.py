"""A process that stops answers and acknowledges what it has, on a real server."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from faststream import AckPolicy
from faststream.nats import JStream

from vyomo_contracts import subjects
from vyomo_contracts.commands import CancelOrder, CancelOrders, OrderReplies, OrderReply, RingDoorbell
from vyomo_contracts.messages import Principal
from vyomo_contracts.topology import DOORBELLS, worker_consumer
from vyomo_service_kit.bus import Bus, consumer_config, declare_topology
from vyomo_service_kit.testing import eventually

CONSUMER = worker_consumer("paper", 0)
STOPS = 10
MakeDoorbell = Callable[..., RingDoorbell]


@asynccontextmanager
async def worker(nats_url: str, handled: list[int]) -> AsyncGenerator[Bus]:
    bus = Bus(nats_url, name="worker")

    async def on_doorbell(message: RingDoorbell) -> None:
        await asyncio.sleep(0.005)
        handled.extend(message.account_ids)

    bus.broker.subscriber(
        CONSUMER.filter_subject,
        stream=JStream(DOORBELLS.name, declare=False),
        queue=CONSUMER.durable_name,
        config=consumer_config(CONSUMER),
        ack_policy=AckPolicy.MANUAL,
    )(on_doorbell)
    await bus.connect()
    await declare_topology(bus.stored, (CONSUMER,))
    async with bus.open(), bus.draining():
        yield bus


async def test_worker_that_stops_under_load_causes_no_redelivery(
    nats_url: str, doorbell: MakeDoorbell
) -> None:
    handled: list[int] = []
    sent = 0
    asking = Bus(nats_url, name="asking")
    async with worker(nats_url, []):
        pass
    async with asking.open():
        for _ in range(STOPS):
            async with worker(nats_url, handled):
                for _ in range(20):
                    sent += 1
                    await asking.store(
                        subjects.doorbell("paper", 0),
                        doorbell(sent).model_dump_json().encode(),
                        message_id=str(sent),
                    )
        async with worker(nats_url, handled):
            await eventually(lambda: len(handled) >= sent)
            state = await asking.stored.consumer_info(CONSUMER.stream, CONSUMER.durable_name)

    # Handled once each, though nearly every message waited behind others when its worker was told to stop.
    assert sorted(handled) == list(range(1, sent + 1))
    assert state.delivered is not None
    assert state.delivered.consumer_seq == sent


@pytest.mark.parametrize("at_once", [1, 4], ids=["one by one", "several at once"])
async def test_service_that_stops_answers_every_request_it_was_given(
    nats_url: str, doorbell: MakeDoorbell, at_once: int
) -> None:
    asking = Bus(nats_url, name="asking")
    head = doorbell().model_dump(exclude={"account_ids", "type"})
    item = CancelOrder(principal=Principal(user_id="asha", key_id="k"), account_id=1, order_id="PAPER_01")
    request = CancelOrders(**head, type=CancelOrders.TYPE, items=(item,))

    @asynccontextmanager
    async def serving() -> AsyncGenerator[None]:
        bus = Bus(nats_url, name="serving")

        @bus.broker.subscriber("test.cancel", queue="serving", max_workers=at_once)
        async def on_cancel(_: CancelOrders) -> OrderReplies:
            await asyncio.sleep(0.005)
            return OrderReplies(**head, type=OrderReplies.TYPE, items=(OrderReply(),))

        async with bus.open(), bus.draining():
            yield

    async with asking.open():
        for _ in range(STOPS):
            async with serving():
                answers = [
                    asyncio.create_task(
                        asking.request("test.cancel", request, OrderReplies, timeout_seconds=5)
                    )
                    for _ in range(20)
                ]
                await asyncio.sleep(0.02)
            # It has stopped: whoever had asked it has an answer.
            await asyncio.gather(*answers)
