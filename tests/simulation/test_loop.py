"""The loop itself. Needs nothing but the standard library, so that it can be run with every Python: `python -m pytest test_loop.py`."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import pytest
from vyomo_simulation.loop import Process, StuckError, VirtualLoop, current_process


def simulate(seed: int, main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    loop = VirtualLoop(seed)
    return loop.run(main(loop))


def test_time_jumps_to_the_next_timer_and_an_hour_costs_nothing() -> None:
    async def main(loop: VirtualLoop) -> float:
        await asyncio.sleep(3600)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.Event().wait()
        return loop.time()

    assert simulate(1, main) == pytest.approx(3600.5)


def steps_of(seed: int) -> list[str]:
    steps: list[str] = []

    async def walk() -> None:
        for number in range(4):
            process = current_process()
            assert process is not None
            steps.append(f"{process.name}{number}")
            await asyncio.sleep(0)

    async def main(loop: VirtualLoop) -> None:
        await asyncio.gather(*(loop.process(name).spawn(walk()) for name in "abc"))

    simulate(seed, main)
    return steps


def test_same_seed_is_the_same_schedule_and_other_seeds_are_others() -> None:
    assert steps_of(7) == steps_of(7)
    assert len({tuple(steps_of(seed)) for seed in range(20)}) > 10


def test_within_a_process_first_come_is_first_run() -> None:
    async def main(loop: VirtualLoop) -> list[int]:
        ran: list[int] = []

        async def inside() -> None:
            for number in range(20):
                asyncio.get_running_loop().call_soon(ran.append, number)
            await asyncio.sleep(1)

        others = [loop.process(name).spawn(inside_noise()) for name in "xyz"]
        await loop.process("a").spawn(inside())
        await asyncio.gather(*others)
        return ran

    async def inside_noise() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    assert all(simulate(seed, main) == list(range(20)) for seed in range(10))


def test_killed_process_stops_where_it_is_without_last_words() -> None:
    said: list[str] = []

    @contextlib.asynccontextmanager
    async def connected() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            said.append("closed")
            await asyncio.sleep(1)

    async def victim() -> None:
        async with connected():
            asyncio.create_task(ticking())  # noqa: RUF006 - the process keeps it
            await asyncio.sleep(2)
            said.append("survived")

    async def ticking() -> None:
        while True:
            said.append("tick")
            await asyncio.sleep(0.4)

    async def main(loop: VirtualLoop) -> list[str]:
        process = loop.process("victim")
        process.spawn(victim())
        await asyncio.sleep(1)
        process.kill()
        await asyncio.sleep(10)
        return list(said)

    assert simulate(1, main) == ["tick"] * 3


def test_paused_process_misses_time_and_goes_on_where_it_was() -> None:
    at: list[float] = []

    async def walker(loop: VirtualLoop) -> None:
        for _ in range(3):
            await asyncio.sleep(1)
            at.append(loop.time())

    async def main(loop: VirtualLoop) -> None:
        process: Process = loop.process("walker")
        process.spawn(walker(loop))
        await asyncio.sleep(1.5)
        process.pause()
        await asyncio.sleep(5)
        process.resume()
        await asyncio.sleep(5)

    simulate(1, main)

    assert at == pytest.approx([1, 6.5, 7.5])


def test_what_happens_in_the_world_happens_though_its_cause_was_killed() -> None:
    async def main(loop: VirtualLoop) -> list[str]:
        arrived: list[str] = []

        async def send() -> None:
            loop.later(1, arrived.append, "letter")
            loop.call_later(1, arrived.append, "own timer")

        process = loop.process("sender")
        await process.spawn(send())
        process.kill()
        await asyncio.sleep(2)
        return arrived

    assert simulate(1, main) == ["letter"]


def test_threads_are_refused() -> None:
    async def main(_: VirtualLoop) -> None:
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="no threads"):
        simulate(1, main)


def test_waiting_for_ever_is_an_error_and_not_a_hang() -> None:
    async def main(_: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        simulate(1, main)
