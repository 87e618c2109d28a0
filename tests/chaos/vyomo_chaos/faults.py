"""What is broken when: drawn from a seed, so that a run can be had again as far as a scheduler allows."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from .processes import Processes

WORKERS: Final = ("worker-1", "worker-2")
CONTROL: Final = "control"
SERVICES: Final = ("gateway", "order-router", "paper-exchange", "sync")
EVERYTHING: Final = "everything"
LONGEST_PAUSE_SECONDS: Final = 7.0
FREEZE_SECONDS: Final = 12.0

# Workers most often: what they do with an order is what a death can spoil.
_KILLED: Final = {
    **dict.fromkeys(WORKERS, 10),
    CONTROL: 6,
    **dict.fromkeys(SERVICES, 4),
    "nats": 4,
    "postgresql": 4,
}
_PAUSED: Final = {
    **dict.fromkeys(WORKERS, 6),
    "order-router": 2,
    "paper-exchange": 2,
    "gateway": 1,
    "nats": 1,
}


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    """kill, pause, wipe, mute, lag or freeze."""
    target: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that really happened, in wall-clock time."""

    fault: Fault
    began_at: float
    ended_at: float


@dataclass
class Chaos:
    processes: Processes
    steer: Callable[[dict[str, Any]], Awaitable[None]]
    """Tells the broker how to misbehave."""
    seed: int
    every_seconds: float
    struck: list[Struck] = field(default_factory=list[Struck])
    _under_fire: set[str] = field(default_factory=set[str])

    async def run(self, seconds: float) -> None:
        """Faults side by side, but one at a time for each target; one long freeze of everything in the middle."""
        chance = random.Random(self.seed)
        began, frozen = time.monotonic(), False
        async with asyncio.TaskGroup() as striking:
            while (elapsed := time.monotonic() - began) < seconds:
                fault = draw(chance)
                if elapsed > seconds / 2 and not frozen:
                    frozen, fault = True, Fault("freeze", EVERYTHING, FREEZE_SECONDS)
                if fault.target not in self._under_fire and EVERYTHING not in self._under_fire:
                    striking.create_task(self._strike(fault))
                await asyncio.sleep(chance.expovariate(1 / self.every_seconds))

    async def end(self) -> None:
        self.processes.resume_all()
        await self.steer({"mix": None, "muted": False, "book_lag_seconds": 0.0})

    async def _strike(self, fault: Fault) -> None:
        self._under_fire.add(fault.target)
        at = time.time()
        try:
            happened = await self._inflict(fault)
        finally:
            self._under_fire.discard(fault.target)
        if happened:
            self.struck.append(Struck(fault, at, time.time()))

    async def _inflict(self, fault: Fault) -> bool:
        """True when there was something to break."""
        match fault.kind:
            case "kill":
                return self.processes.kill(fault.target)
            case "pause":
                return await self.processes.pause(fault.target, fault.seconds)
            case "wipe":
                return await self.processes.wipe_bus()
            case "mute":
                await self.steer({"muted": True})
                await asyncio.sleep(fault.seconds)
                await self.steer({"muted": False})
            case "lag":
                await self.steer({"book_lag_seconds": fault.seconds})
            case _:
                await self.processes.freeze_everything(fault.seconds)
        return True


def draw(chance: random.Random) -> Fault:
    kind = chance.choices(("kill", "pause", "wipe", "mute", "lag"), (60, 24, 5, 5, 6))[0]
    if kind == "kill":
        return Fault(kind, _one_of(chance, _KILLED))
    if kind == "pause":
        return Fault(kind, _one_of(chance, _PAUSED), chance.uniform(1.0, LONGEST_PAUSE_SECONDS))
    if kind == "mute":
        return Fault(kind, "broker", chance.uniform(1.0, 5.0))
    if kind == "lag":
        return Fault(kind, "broker", chance.choice((0.0, 0.4, 1.5)))
    return Fault(kind, "nats")


def _one_of(chance: random.Random, weights: dict[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
