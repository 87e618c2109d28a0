"""A bell reaches the worker that serves the account, however many workers a broker has."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

from vyomo_broker_kit.doorbell import register_doorbell
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.testing import eventually

RINGS = 20


async def ring(floor: Floor, partition: int, account_id: int) -> None:
    message_id = floor.world.identifiers.message_id()
    await floor.world.bus.publish(
        subjects.doorbell(Broker.ZERODHA, partition),
        RingDoorbell(
            id=message_id,
            type=RingDoorbell.TYPE,
            time=floor.world.clock.now(),
            correlation_id=message_id,
            source="test",
            account_ids=(account_id,),
        ),
    )


async def test_every_bell_reaches_the_worker_that_owns_the_partition(floor: Floor) -> None:
    heard: dict[int, list[int]] = {0: [], 1: []}

    def hear(worker: int, account_ids: Iterable[int]) -> None:
        heard[worker].extend(account_ids)

    async with AsyncExitStack() as stack:
        for worker in heard:
            bus = Bus(floor.nats_url, name=f"worker-{worker}")
            register_doorbell(
                bus.broker,
                broker=Broker.ZERODHA,
                owned=(worker,),
                ring=lambda account_ids, worker=worker: hear(worker, account_ids),
            )
            await stack.enter_async_context(bus.open())
        for number in range(RINGS):
            await ring(floor, number % 2, number)
        await eventually(lambda: len(heard[0]) + len(heard[1]) >= RINGS)
        await asyncio.sleep(0.1)

    assert sorted(heard[0]) == list(range(0, RINGS, 2))
    assert sorted(heard[1]) == list(range(1, RINGS, 2))
