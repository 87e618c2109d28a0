"""What goes wrong, drawn from the seed: kills, pauses, stops, outages of record and bus, wipes, lost words.

Each seed draws its own mix, also which kinds it leaves out: a fault that is always there hides what only shows without it.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Final

from .bus import BusFaults
from .loop import Process
from .processes import Running
from .server import IDLE_SECONDS, ServerFaults
from .world import World

QUIET_RECORD: Final = ServerFaults(seconds=0.001)
QUIET_BUS: Final = BusFaults()
STOP_SECONDS: Final = 15.0

# How often each happens in a hundred faults.
KINDS: Final = {"kill": 50, "pause": 25, "stop": 6, "record_crash": 6, "bus_outage": 6, "wipe": 7}


@dataclass(slots=True)
class FaultCounts:
    kills: int = 0
    pauses: int = 0
    stops: int = 0
    record_crashes: int = 0
    bus_outages: int = 0


class Faults:
    def __init__(self, world: World, processes: Sequence[Running]) -> None:
        self.counts = FaultCounts()
        self._world = world
        self._processes = list(processes)
        self._busy: set[str] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._random = random = world.random("faults")
        self._kinds = {kind: parts * _often(random) for kind, parts in KINDS.items()}
        self._pause_seconds = random.choice((0.4, 2.0, 12.0))
        self.every_seconds = random.choice((0.25, 0.5, 1.5))
        world.server.faults = ServerFaults(
            seconds=random.choice((0.0005, 0.002, 0.01)),
            lost_statement=0.002 * _often(random),
            lost_before_commit=0.01 * _often(random),
            lost_after_commit=0.02 * _often(random),
            struck_writing=0.008 * _often(random),
        )
        world.server.strike = self._strike_now
        world.bus.faults = BusFaults(
            lost=0.03 * _often(random),
            doubled=0.05 * _often(random),
            late=0.05 * _often(random),
            store_refused=0.02 * _often(random),
            answer_lost=0.03 * _often(random),
        )

    async def go_on(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / self.every_seconds))
            if not any(self._kinds.values()):
                continue
            kind = self._random.choices(list(self._kinds), list(self._kinds.values()))[0]
            self._start(self._strike(kind))

    async def end(self) -> None:
        """From now on nothing fails, and everything that was stopped is started again."""
        self._world.server.faults, self._world.bus.faults = QUIET_RECORD, QUIET_BUS
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    async def _strike(self, kind: str) -> None:
        world = self._world
        match kind:
            case "record_crash":
                world.history.note("record crashes")
                self.counts.record_crashes += 1
                world.server.crash()
                await asyncio.sleep(self._random.uniform(0.2, 3))
                world.server.is_down = False
            case "bus_outage":
                world.history.note("bus is away")
                self.counts.bus_outages += 1
                world.bus.is_down = True
                await asyncio.sleep(self._random.uniform(0.2, 3))
                world.bus.is_down = False
            case "wipe":
                world.history.note("bus is wiped")
                world.bus.wipe()
            case _:
                free = [each for each in self._processes if each.name not in self._busy]
                if free:
                    await self._strike_process(kind, self._random.choice(free))

    def _strike_now(self, process: Process) -> None:
        for victim in self._processes:
            if victim.process is process and victim.name not in self._busy:
                kind = self._random.choice(("kill", "pause"))
                self._busy.add(victim.name)
                self._start(self._strike_process(kind, victim))

    def _start(self, strike: Coroutine[None, None, None]) -> None:
        """In the world: whatever it kills or pauses, it goes on."""
        task = self._world.loop.create_task(strike, context=Context())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard, context=Context())

    async def _strike_process(self, kind: str, victim: Running) -> None:
        self._busy.add(victim.name)
        self._world.history.note(kind, victim.name)
        try:
            if kind == "pause":
                await self._pause(victim)
                return
            if kind == "kill":
                self.counts.kills += 1
                victim.kill()
            else:
                self.counts.stops += 1
                await victim.stop(STOP_SECONDS)
            await asyncio.sleep(self._random.uniform(0.1, 2))
            victim.start()
        finally:
            self._busy.discard(victim.name)

    async def _pause(self, victim: Running) -> None:
        self.counts.pauses += 1
        process = victim.process
        assert process is not None
        process.pause()
        seconds = self._random.uniform(0.05, self._pause_seconds)
        await asyncio.sleep(min(seconds, IDLE_SECONDS))
        if seconds > IDLE_SECONDS:
            self._world.server.end_sessions_of(process)  # idle in a transaction for too long
            await asyncio.sleep(seconds - IDLE_SECONDS)
        self._world.history.note("resume", victim.name)
        process.resume()


def _often(random: Random) -> float:
    """A kind of fault is absent, usual or frequent in a seed."""
    return random.choice((0.0, 1.0, 1.0, 3.0))
