"""Many seeds and, beside them, the control that must fail."""

import gc
import time
from collections.abc import Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final, NamedTuple

from .simulation import Outcome, simulate

CONTROL_SHARE: Final = 20
"""The control runs one order in so many; it fails within the first seeds."""
CONTROL_ORDERS: Final = 100
CONTROL_SEEDS: Final = 3
"""At the least: in one world alone little may go wrong."""
CONTROL_DUPLICATES: Final = 0.05
"""Share of its orders the control must duplicate at the least."""


class Task(NamedTuple):
    """One seed's run."""

    seed: int
    orders: int
    naive: bool = False


@dataclass
class Campaign:
    first_seed: int
    per_seed: int
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    control: list[Outcome] = field(default_factory=list[Outcome])
    jobs: int = 1
    repeats_differ: bool = False

    @property
    def cpu_seconds(self) -> float:
        """Of what was simulated, on however many cores; the control and the repetition are not counted."""
        return sum(outcome.cpu_seconds for outcome in self.outcomes)

    @property
    def unsound(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.is_sound]

    @property
    def control_duplicated(self) -> int:
        return sum(len(outcome.findings.duplicated) for outcome in self.control)

    @property
    def control_orders(self) -> int:
        return sum(outcome.orders for outcome in self.control)

    @property
    def problems(self) -> list[str]:
        problems = [
            f"seed {outcome.seed}: {outcome.findings.all[0]}"
            + (f" (and {len(outcome.findings.all) - 1} more)" if len(outcome.findings.all) > 1 else "")
            + f"; repeat: ./vyomo simulate --orders {outcome.orders} --seed {outcome.seed} --trace history.txt"
            for outcome in self.unsound
        ]
        if self.control_duplicated < CONTROL_DUPLICATES * self.control_orders:
            problems.append(
                f"the control worker made {self.control_duplicated} duplicates in {self.control_orders} orders:"
                " a run that fails to see those would not see ours"
            )
        if self.repeats_differ:
            problems.append(
                f"seed {self.first_seed} went differently the second time: nothing here can be repeated"
            )
        return problems


def run(*, orders: int, first_seed: int, per_seed: int, jobs: int = 1) -> Campaign:
    """The same whatever the number of jobs: a seed knows nothing of the others."""
    sizes = [min(per_seed, orders - begun) for begun in range(0, orders, per_seed)]
    tasks = [Task(first_seed + number, size) for number, size in enumerate(sizes)]
    controls = max(CONTROL_SEEDS, orders // CONTROL_SHARE // CONTROL_ORDERS)
    tasks += [Task(first_seed + number, CONTROL_ORDERS, naive=True) for number in range(controls)]
    tasks.append(tasks[0])
    *outcomes, repeated = _run_all(tasks, jobs)
    campaign = Campaign(first_seed, per_seed, outcomes[: len(sizes)], outcomes[len(sizes) :], jobs)
    campaign.repeats_differ = repeated.history != campaign.outcomes[0].history
    return campaign


def _run_all(tasks: list[Task], jobs: int) -> Iterable[Outcome]:
    if jobs == 1:
        with _collecting_by_hand():
            return [_run_one(task) for task in tasks]
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_put_start_up_aside) as pool:
        return list(pool.map(_run_one, tasks))


def _run_one(task: Task) -> Outcome:
    began_at = time.process_time()
    outcome = simulate(task.seed, task.orders, naive=task.naive)
    gc.collect()
    outcome.cpu_seconds = time.process_time() - began_at
    return outcome


def _put_start_up_aside() -> None:
    """A world is garbage as a whole: looking for some while it lives costs a sixth of the time and finds none."""
    gc.collect()
    gc.freeze()
    gc.disable()


@contextmanager
def _collecting_by_hand() -> Generator[None]:
    _put_start_up_aside()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
