"""Windows of the order protocol in which a chaos run may strike a process down. In production they are nothing.

`failpoints.reach("claim.committed")` marks a place between two steps, once a batch or commit. Only `./vyomo chaos` arms them: it
names a plan in the environment of a system of its own. An armed process says so loudly, and one whose plan cannot be read does not
start, so that a variable left behind is noticed at once.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from vyomo_service_kit.clock import SystemClock

log = structlog.get_logger()

VARIABLE: Final = "VYOMO_FAILPOINTS"
"""Names the plan, a JSON object: `seed`; `hits`, the file that strikes are written to; `armed`, a file that must exist for a strike;
`points`, for each point the chance of each action, such as {"claim.committed": {"kill": 0.02, "stop": 0.01}}."""

POINTS: Final = frozenset(
    {
        "accept.waiting",  # orders were checked, nothing is recorded
        "accept.committed",  # orders are recorded, nobody has been told
        "publish.waiting",  # a commit's events are about to be published by the committer
        "publish.stored",  # the bus has them, the outbox row is still there
        "relay.waiting",  # as above, by the relay
        "relay.stored",
        "lanes.rung",  # a worker is about to claim
        "claim.committed",  # claimed, nothing sent
        "outcome.unrecorded",  # the broker has answered, the record does not know
        "message.handled",  # a stored message was dealt with, but not acknowledged
    }
)
SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class UnreadablePlanError(Exception):
    """The environment names a plan that is none."""


class Failpoints:
    """An armed process: `reach` decides by chance whether it ends or stands still right there."""

    def __init__(self, plan: Mapping[str, object], strike: Callable[[signal.Signals], None]) -> None:
        chances = plan["points"]
        assert isinstance(chances, dict)
        unknown = sorted(set(chances) - POINTS)
        if unknown:
            raise ValueError(f"no such points: {', '.join(unknown)}")
        self.chances: dict[str, dict[str, float]] = chances
        self._hits = Path(str(plan["hits"]))
        self._armed = Path(str(plan["armed"]))
        self._strike = strike
        self._program = sys.orig_argv[2] if len(sys.orig_argv) > 2 else sys.orig_argv[0]
        # Each life of a process draws anew: how many strikes came before it tells lives apart.
        lives = self._hits.stat().st_size if self._hits.exists() else 0
        self._chance = random.Random(f"{plan['seed']} {self._program} {lives}")  # noqa: S311 - to be had again from the seed

    def reach(self, point: str) -> None:
        luck = self._chance.random()
        for action, chance in self.chances.get(point, {}).items():
            if luck < chance:
                if self._armed.exists():
                    self._note(point, action)
                    self._strike(SIGNALS[action])
                return
            luck -= chance

    def _note(self, point: str, action: str) -> None:
        """One line before the strike: what struck must not be believed to have happened elsewhere."""
        hit = {
            "point": point,
            "action": action,
            "program": self._program,
            "pid": os.getpid(),
            "at": SystemClock().now().timestamp(),
        }
        line = json.dumps(hit) + "\n"
        descriptor = os.open(self._hits, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


_failpoints: Failpoints | None = None


def reach(point: str) -> None:
    """The process is between two steps of the protocol."""
    if _failpoints is not None:
        _failpoints.reach(point)


def arm_from_environment() -> None:
    """Called once as a service starts.

    Raises:
        UnreadablePlanError: the environment names a plan that cannot be read.
    """
    global _failpoints  # noqa: PLW0603 - of the process, like the signals it sends itself
    path = os.environ.get(VARIABLE)
    if not path:
        return
    try:
        _failpoints = Failpoints(json.loads(Path(path).read_text(encoding="utf-8")), signal.raise_signal)
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise UnreadablePlanError(
            f"{VARIABLE} names {path}, which is no plan of a chaos run ({error!r}); unset it: nothing else uses it"
        ) from error
    log.critical("failpoints.armed", plan=path, why="this process kills itself by chance, for ./vyomo chaos")
