import asyncio
from contextlib import suppress

from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat
from vyomo_service_kit.testing import eventually


class Action:
    def __init__(self, *failures: Exception) -> None:
        self.runs = 0
        self._failures = list(failures)

    async def __call__(self) -> None:
        self.runs += 1
        if self._failures:
            raise self._failures.pop(0)


async def test_repeated_action_runs_on_after_failures() -> None:
    action = Action(RuntimeError("first"), UnavailableError("second"))

    looping = asyncio.create_task(repeat(action, every_seconds=0.001, name="test"))
    await eventually(lambda: action.runs >= 5)

    await cancel_and_wait(looping)
    assert looping.cancelled()


async def test_waking_runs_the_action_at_once() -> None:
    action, wake = Action(), asyncio.Event()
    looping = asyncio.create_task(repeat(action, every_seconds=3600, name="test", wake=wake))
    await eventually(lambda: action.runs == 1)

    wake.set()
    await eventually(lambda: action.runs == 2)

    assert not wake.is_set()
    await cancel_and_wait(looping)


async def test_wake_during_a_run_is_not_lost() -> None:
    wake, runs, release = asyncio.Event(), list[int](), asyncio.Event()

    async def slow() -> None:
        runs.append(len(runs))
        await release.wait()

    looping = asyncio.create_task(repeat(slow, every_seconds=3600, name="test", wake=wake))
    await eventually(lambda: len(runs) == 1)

    wake.set()
    release.set()
    await eventually(lambda: len(runs) == 2)

    await cancel_and_wait(looping)


async def test_task_that_loses_a_cancellation_is_asked_again() -> None:
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)

    await cancel_and_wait(task)

    assert swallowed.is_set()
    assert task.cancelled()


async def test_tasks_that_have_ended_are_not_waited_for() -> None:
    async def nothing() -> None:
        return

    task = asyncio.create_task(nothing())
    await task

    await cancel_and_wait(task)
