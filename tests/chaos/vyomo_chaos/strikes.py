"""The failpoints of a run: how likely each strikes, what struck, and waking those that were stopped in a window."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vyomo_service_kit.failpoints import VARIABLE

from .faults import CONTROL, LONGEST_PAUSE_SECONDS, SERVICES, WORKER, Fault, Struck

FAULTS_A_STRIKE: Final = 20.0
"""Each window is struck once in the time of so many faults."""
_LOOK_SECONDS: Final = 0.1

_REACHED: Final[Mapping[str, float]] = {
    "accept.waiting": 1.0,
    "accept.committed": 1.0,
    "publish.waiting": 5.0,
    "publish.stored": 5.0,
    "lanes.rung": 3.0,
    "claim.committed": 0.8,
    "outcome.unrecorded": 0.9,
    "message.handled": 5.0,
}
"""How often a window is passed for each order, about."""
_RELAYED: Final = 0.02
"""The relay passes its windows for each row that somebody who died left behind, many at a time: struck at each, it would never be done."""
_STOPPED_TOO: Final = ("claim.committed",)

_PROGRAMS: Final = {
    "vyomo_chaos.worker_process": WORKER,
    "vyomo_chaos.control_process": CONTROL,
    **{f"vyomo_{name.replace('-', '_')}": name for name in SERVICES},
}


@dataclass(frozen=True, slots=True)
class Hit:
    point: str
    action: str
    target: str
    pid: int
    at: float
    """Wall-clock time."""


@dataclass
class Strikes:
    folder: Path
    seed: int
    wake: Callable[[int, float], Awaitable[None]]
    """Lets the process with this id go on after so many seconds."""
    hits: list[Hit] = field(default_factory=list[Hit])
    _read: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(f"strikes {self.seed}")

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: str(self.folder / "failpoints.json")}

    def plan(self, orders_per_second: float, fault_every_seconds: float) -> None:
        between = FAULTS_A_STRIKE * fault_every_seconds
        points: dict[str, dict[str, float]] = {
            point: {"kill": min(0.3, 1 / (orders_per_second * reached * between))}
            for point, reached in _REACHED.items()
        }
        for point in _STOPPED_TOO:
            points[point]["stop"] = points[point]["kill"]
        points |= {point: {"kill": _RELAYED} for point in ("relay.waiting", "relay.stored")}
        plan = {
            "seed": self.seed,
            "hits": str(self.folder / "hits"),
            "armed": str(self.folder / "armed"),
            "points": points,
        }
        (self.folder / "failpoints.json").write_text(json.dumps(plan))

    def arm(self) -> None:
        (self.folder / "armed").touch()

    def disarm(self) -> None:
        (self.folder / "armed").unlink(missing_ok=True)

    async def watch(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as waking:
            while True:
                for hit in self.read():
                    if hit.action == "stop":
                        seconds = self._chance.uniform(1.0, LONGEST_PAUSE_SECONDS)
                        waking.create_task(self._wake(hit.pid, seconds))
                await asyncio.sleep(_LOOK_SECONDS)

    async def _wake(self, pid: int, seconds: float) -> None:
        await self.wake(pid, seconds)

    def read(self) -> list[Hit]:
        """Those that were not read before."""
        path = self.folder / "hits"
        lines = path.read_text().splitlines() if path.exists() else []
        fresh, self._read = lines[self._read :], len(lines)
        found = [_hit_of(json.loads(line)) for line in fresh]
        self.hits.extend(found)
        return found

    def struck(self) -> list[Struck]:
        """As faults, so that kills are counted and recoveries measured wherever they came from."""
        kinds = {"kill": "kill", "stop": "pause"}
        return [Struck(Fault(kinds[hit.action], hit.target), hit.at, hit.at) for hit in self.hits]


def _hit_of(line: Mapping[str, Any]) -> Hit:
    return Hit(line["point"], line["action"], _PROGRAMS[line["program"]], line["pid"], line["at"])
