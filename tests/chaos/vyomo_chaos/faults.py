"""What is broken when: drawn from a seed, so that a run can be had again as far as a scheduler allows."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .links import TROUBLES, Link, Trouble
from .processes import Processes

WORKERS: Final = ("worker-1", "worker-2")
WORKER: Final = "worker"
"""One of them, when it does not matter which."""
CONTROL: Final = "control"
SERVICES: Final = ("gateway", "order-router", "paper-exchange", "sync")
EVERYTHING: Final = "everything"
SESSION: Final = "session"
LONGEST_PAUSE_SECONDS: Final = 7.0
LONGEST_PARTITION_SECONDS: Final = 60.0
COMMON_PARTITION_SECONDS: Final = 5.0
FREEZE_SECONDS: Final = 12.0
STRUCK_AT_STARTS: Final = 0.2
QUEUE_SECONDS: Final = 1.5
"""Before a freeze the workers stand still this much longer than the rest: orders are waiting when it begins."""

# Workers most often: what they do with an order is what a death can spoil. The router dies in its windows as well.
_KILLED: Final = {
    **dict.fromkeys(WORKERS, 10),
    CONTROL: 6,
    **dict.fromkeys(SERVICES, 3),
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
_STOPPED: Final = {**dict.fromkeys(WORKERS, 4), **dict.fromkeys(SERVICES, 2)}
_KINDS: Final = {
    "kill": 50,
    "pause": 22,
    "stop": 5,
    "wipe": 4,
    "mute": 4,
    "lag": 4,
    "session": 4,
    "partition": 6,
    "deafen": 6,
}


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    """kill, pause, stop (SIGTERM), wipe, mute, lag, session, partition, deafen or freeze."""
    target: str
    seconds: float = 0.0
    trouble: Trouble | None = None
    """Of a partition."""


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that really happened, in wall-clock time."""

    fault: Fault
    began_at: float
    ended_at: float


@dataclass
class Chaos:
    processes: Processes
    links: Sequence[Link]
    accounts: Sequence[int]
    """Those whose session may end."""
    steer: Callable[[dict[str, Any]], Awaitable[None]]
    """Tells the broker how to misbehave."""
    frozen: Callable[[bool], None]
    """Told as everything is about to stand still, and after it: clients live on the same machine."""
    seed: int
    every_seconds: float
    freeze_seconds: float
    struck: list[Struck] = field(default_factory=list[Struck])
    stop_seconds: list[float] = field(default_factory=list[float])
    """How long each process took to end when asked to."""
    _under_fire: set[str] = field(default_factory=set[str])

    async def run(self, seconds: float) -> None:
        """Faults side by side, but one at a time for each target; one long freeze of everything in the middle.

        The freeze is not counted in `seconds`.
        """
        chance = random.Random(self.seed)
        began, frozen, longest = time.monotonic(), False, min(LONGEST_PARTITION_SECONDS, seconds / 4)
        names = [link.name for link in self.links]
        async with asyncio.TaskGroup() as striking:
            while (elapsed := time.monotonic() - began) < seconds:
                fault = draw(chance, names, self.accounts, longest)
                if elapsed > seconds / 2 and not frozen and self.freeze_seconds:
                    frozen = True
                    await self._strike(Fault("freeze", EVERYTHING, self.freeze_seconds))
                    began += self.freeze_seconds + QUEUE_SECONDS
                elif fault.target not in self._under_fire and self._may_strike(fault, chance):
                    striking.create_task(self._strike(fault))
                await asyncio.sleep(chance.expovariate(1 / self.every_seconds))

    async def end(self) -> None:
        for link in self.links:
            link.mend()
        self.processes.resume_all()
        await self.steer({"mix": None, "muted": False, "book_lag_seconds": 0.0, "expired_sessions": []})

    def _may_strike(self, fault: Fault, chance: random.Random) -> bool:
        """Starting is struck more seldom: where a start takes longer than the time between faults, nothing would ever be up."""
        spared = chance.random() > STRUCK_AT_STARTS
        return not spared or fault.kind not in {"kill", "stop"} or self.processes.is_up(fault.target)

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
            case "stop":
                took = await self.processes.stop(fault.target)
                self.stop_seconds += [] if took is None else [took]
                return took is not None
            case "wipe":
                return await self.processes.wipe_bus()
            case "mute":
                await self._steer_for(fault.seconds, "muted", True, False)
            case "lag":
                await self.steer({"book_lag_seconds": fault.seconds})
            case "session":
                account = int(fault.target.removeprefix(f"{SESSION}-"))
                await self._steer_for(fault.seconds, "expired_sessions", [account], [])
            case "partition" | "deafen":
                await self._partition(fault)
            case _:
                await self._freeze(fault.seconds)
        return True

    async def _steer_for(self, seconds: float, name: str, wrong: object, right: object) -> None:
        await self.steer({name: wrong})
        try:
            await asyncio.sleep(seconds)
        finally:
            await self.steer({name: right})

    async def _partition(self, fault: Fault) -> None:
        link = next(link for link in self.links if link.name == fault.target)
        link.break_(fault.trouble or "deaf")
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            link.mend()

    async def _freeze(self, seconds: float) -> None:
        """A laptop's lid: also those who place orders stand still."""
        await self.processes.freeze(WORKERS)
        await asyncio.sleep(QUEUE_SECONDS)
        self.frozen(True)
        try:
            await self.processes.freeze_everything(seconds)
        finally:
            self.frozen(False)


def draw(
    chance: random.Random, links: Sequence[str], accounts: Sequence[int], longest_partition: float
) -> Fault:
    kind, target, seconds, trouble = _one_of(chance, _KINDS), "nats", 0.0, None
    match kind:
        case "kill":
            target = _one_of(chance, _KILLED)
        case "pause":
            target, seconds = _one_of(chance, _PAUSED), chance.uniform(1.0, LONGEST_PAUSE_SECONDS)
        case "stop":
            target = _one_of(chance, _STOPPED)
        case "mute":
            target, seconds = "broker", chance.uniform(1.0, 5.0)
        case "lag":
            target, seconds = "broker-lag", chance.choice((0.0, 0.4, 1.5))
        case "session":
            target, seconds = f"{SESSION}-{chance.choice(accounts)}", chance.uniform(0.5, 3.0)
        case "partition":
            target, trouble = chance.choice(links), chance.choice(TROUBLES)
            seconds = min(longest_partition, 1 + chance.expovariate(1 / COMMON_PARTITION_SECONDS))
        case "deafen":
            # For a moment: commits whose answer is lost, and not much else.
            target = chance.choice([name for name in links if name.endswith("postgresql")])
            seconds, trouble = chance.uniform(0.1, 0.4), "deaf"
        case _:
            pass  # a wipe
    return Fault(kind, target, seconds, trouble)


def _one_of(chance: random.Random, weights: Mapping[str, int]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
