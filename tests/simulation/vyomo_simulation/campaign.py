"""Many seeds and, beside them, the control that must fail."""

import gc
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from .simulation import Outcome, simulate

CONTROL_SHARE: Final = 20
"""The control runs one order in so many; it fails within the first seed."""
CONTROL_ORDERS: Final = 100
CONTROL_DUPLICATES: Final = 0.05
"""Share of its orders the control must duplicate at the least."""


@dataclass
class Campaign:
    first_seed: int
    per_seed: int
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    control: list[Outcome] = field(default_factory=list[Outcome])
    cpu_seconds: float = 0.0
    repeats_differ: bool = False

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


def run(*, orders: int, first_seed: int, per_seed: int) -> Campaign:
    campaign = Campaign(first_seed, per_seed)
    began_at = time.process_time()
    left = orders
    with _collecting_by_hand():
        while left > 0:
            campaign.outcomes.append(simulate(first_seed + len(campaign.outcomes), min(left, per_seed)))
            left -= per_seed
            gc.collect()
    campaign.cpu_seconds = time.process_time() - began_at
    first = campaign.outcomes[0]
    campaign.repeats_differ = simulate(first.seed, first.orders).history != first.history
    for number in range(max(1, orders // CONTROL_SHARE // CONTROL_ORDERS)):
        campaign.control.append(simulate(first_seed + number, CONTROL_ORDERS, naive=True))
    return campaign


@contextmanager
def _collecting_by_hand() -> Generator[None]:
    """A world is garbage as a whole: looking for some while it lives costs a sixth of the time and finds none."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
