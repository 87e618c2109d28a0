import asyncio
from collections.abc import Sequence

import pytest

from vyomo_service_kit.batching import Batcher
from vyomo_service_kit.testing import eventually


class Server:
    """Serves batches when told to; remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.running = 0
        self.most_running = 0
        self.gate = asyncio.Event()
        self.failures: list[Exception] = []

    async def serve(self, items: Sequence[int]) -> list[str]:
        self.batches.append(list(items))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self.gate.wait()
        self.running -= 1
        if self.failures:
            raise self.failures.pop()
        return [f"served {item}" for item in items]


def submit_all(batcher: Batcher[int, str], items: range) -> "list[asyncio.Task[str]]":
    return [asyncio.create_task(batcher.submit(item)) for item in items]


async def test_each_item_gets_its_own_result() -> None:
    server = Server()
    server.gate.set()
    batcher = Batcher(server.serve, in_flight=1, largest=100)

    results = await asyncio.gather(*submit_all(batcher, range(10)))

    assert results == [f"served {item}" for item in range(10)]
    assert server.batches == [list(range(10))]


async def test_lonely_item_waits_for_nothing() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=1, largest=100)

    submitted = submit_all(batcher, range(1))
    for _ in range(3):  # turns of the loop, no time
        await asyncio.sleep(0)

    assert server.batches == [[0]]
    server.gate.set()
    assert await submitted[0] == "served 0"


async def test_items_that_arrive_during_a_call_are_the_next_batch_in_their_order() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=1, largest=100)
    first = submit_all(batcher, range(1))
    await eventually(lambda: server.running == 1)

    later = submit_all(batcher, range(1, 5))
    await eventually(lambda: batcher.waiting == 4)
    server.gate.set()
    await asyncio.gather(*first, *later)

    assert server.batches == [[0], [1, 2, 3, 4]]


async def test_no_more_calls_run_at_once_than_allowed_and_none_is_too_large() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=2, largest=3)

    submitted = submit_all(batcher, range(20))
    await eventually(lambda: server.running == 2)
    server.gate.set()
    results = await asyncio.gather(*submitted)

    assert results == [f"served {item}" for item in range(20)]
    assert server.most_running == 2
    assert max(map(len, server.batches)) <= 3
    assert [item for batch in server.batches for item in batch] == list(range(20))


async def test_patient_batcher_gathers_what_arrives_during_a_call() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=2, largest=100, patience_seconds=60)
    first = submit_all(batcher, range(1))
    await eventually(lambda: server.running == 1)

    later = submit_all(batcher, range(1, 5))
    await eventually(lambda: batcher.waiting == 4)
    server.gate.set()
    await asyncio.gather(*first, *later)

    assert server.batches == [[0], [1, 2, 3, 4]]
    assert server.most_running == 1


async def test_patience_ends_with_a_call_that_lasts_too_long() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=2, largest=100, patience_seconds=0.05)
    first = submit_all(batcher, range(1))
    await eventually(lambda: server.running == 1)

    later = submit_all(batcher, range(1, 3))
    await eventually(lambda: server.running == 2)
    last = submit_all(batcher, range(3, 4))
    await asyncio.sleep(0.15)

    assert server.batches == [[0], [1, 2]]
    server.gate.set()
    await asyncio.gather(*first, *later, *last)
    assert server.batches == [[0], [1, 2], [3]]


async def test_failed_call_reaches_every_submitter_of_it_and_no_other() -> None:
    server = Server()
    failure = ConnectionError("broken")
    server.failures.append(failure)
    batcher = Batcher(server.serve, in_flight=1, largest=3)

    submitted = submit_all(batcher, range(3))
    await eventually(lambda: server.running == 1)
    later = submit_all(batcher, range(3, 4))
    server.gate.set()
    failed = await asyncio.gather(*submitted, return_exceptions=True)

    assert failed == [failure] * 3
    assert await later[0] == "served 3"


@pytest.mark.timeout(5)
async def test_call_that_answers_too_few_leaves_nobody_waiting() -> None:
    async def serve(items: Sequence[int]) -> list[str]:
        return ["only one"]

    batcher: Batcher[int, str] = Batcher(serve, in_flight=1, largest=10)

    results = await asyncio.gather(*submit_all(batcher, range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [RuntimeError] * 3


async def test_submitter_that_is_cancelled_leaves_its_neighbours_alone() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=1, largest=10)
    submitted = submit_all(batcher, range(3))
    await eventually(lambda: server.running == 1)

    submitted[1].cancel()
    server.gate.set()
    results = await asyncio.gather(*submitted, return_exceptions=True)

    assert results[0] == "served 0"
    assert isinstance(results[1], asyncio.CancelledError)
    assert results[2] == "served 2"


async def test_draining_waits_for_what_is_in_flight() -> None:
    server = Server()
    batcher = Batcher(server.serve, in_flight=2, largest=1)
    submitted = submit_all(batcher, range(4))
    await eventually(lambda: server.running == 2)

    draining = asyncio.create_task(batcher.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    server.gate.set()
    await draining

    assert [task.result() for task in submitted] == [f"served {item}" for item in range(4)]
