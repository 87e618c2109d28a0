import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from vyomo_broker_kit.lanes import Lanes
from vyomo_broker_kit.testing.floor import Floor
from vyomo_service_kit.testing import eventually

BAD = 7


class Executor:
    """Fails every round that holds the bad account."""

    def __init__(self) -> None:
        self.served: list[int] = []
        self.failed: list[list[int]] = []

    async def run(self, account_ids: Sequence[int]) -> None:
        if BAD in account_ids:
            self.failed.append(list(account_ids))
            raise RuntimeError("a row that cannot be read")
        self.served.extend(account_ids)


@asynccontextmanager
async def serving(floor: Floor, executor: Executor) -> AsyncGenerator[Lanes]:
    lanes = Lanes(floor.world.database, executor, broker="zerodha", partitions=2, owned=frozenset(range(2)))
    async with lanes.running():
        yield lanes


async def test_bad_account_fails_alone_and_from_then_on_by_itself(floor: Floor) -> None:
    executor = Executor()
    async with serving(floor, executor) as lanes:
        lanes.ring([1, BAD, 2])
        await eventually(lambda: executor.served == [1, 2])
        lanes.ring([BAD, 1])
        await eventually(lambda: executor.served == [1, 2, 1])

    assert executor.failed == [[1, BAD, 2], [BAD], [BAD]]


async def test_nobody_waits_for_an_account_that_keeps_failing(floor: Floor) -> None:
    executor = Executor()
    async with serving(floor, executor) as lanes:
        lanes.ring([BAD])
        await eventually(lambda: executor.failed == [[BAD]])

        lanes.ring([1])
        await asyncio.sleep(0.2)

        assert executor.served == [1]
