"""The protocol among faults, at CI size; `./vyomo simulate` runs the large one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from vyomo_simulation import campaign, report
from vyomo_simulation.simulation import Outcome, simulate

from vyomo_service_kit.logging import configure_logging

RUN = Path(__file__).parent / "run.py"


# Four runs rather than one, so that the cores of whoever tests share them.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first_seed", [1, 11, 21, 31])
def test_two_thousand_orders_among_faults_keep_every_promise_and_the_control_does_not(
    first_seed: int,
) -> None:
    result = campaign.run(orders=2000, first_seed=first_seed, per_seed=200)

    figures = report.figures(result)
    assert result.problems == []
    assert (figures["lost"], figures["duplicated"], figures["stuck"]) == (0, 0, 0)
    # A run in which nothing went wrong would prove nothing.
    assert min(figures[name] for name in ("kills", "pauses", "record_crashes", "bus_outages", "wipes")) > 0
    assert figures["ambiguous"] > 100
    assert figures["ambiguous_commits"] > 50


@pytest.mark.parametrize("seed", [11])
def test_seed_that_once_failed_stays_sound(seed: int) -> None:
    """11: the answer to a modification was lost and its fills were in the trade book before its terms were in the order book."""
    assert simulate(seed, 200).findings.all == []


def history_with_hash_seed(seed: str) -> str:
    """In a process of its own: nothing of the history may hang on addresses or on the order of sets."""
    command = (sys.executable, str(RUN), "--orders", "60", "--seed", "3", "--jobs", "1", "--json")
    environment = os.environ | {"PYTHONHASHSEED": seed}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)["history"]


@pytest.mark.timeout(120)
def test_same_seed_is_the_same_history_in_every_process_and_another_is_another() -> None:
    assert history_with_hash_seed("1") == history_with_hash_seed("2")
    assert simulate(3, 60).history != simulate(4, 60).history


@pytest.mark.timeout(120)
def test_number_of_jobs_changes_nothing_but_the_time_it_takes() -> None:
    alone, shared = (
        report.figures(campaign.run(orders=70, first_seed=3, per_seed=30, jobs=jobs)) for jobs in (1, 2)
    )

    assert {name for name in alone if alone[name] != shared[name]} <= {"jobs", "cpu_seconds", "orders_per_s"}
    assert (shared["jobs"], shared["seeds"], shared["orders"]) == (2, 3, 70)


def test_errors_are_heard_after_a_service_has_run_in_the_same_process() -> None:
    alone = simulate(5, 10).history  # in which an error is logged
    before = structlog.get_config()
    configure_logging("other", log_format="json")
    try:
        for module in tuple(sys.modules.values()):
            logger: Any = vars(module).get("log")
            if isinstance(logger, type(structlog.get_logger())):
                logger.info("fixed")
    finally:
        structlog.configure(**before)

    assert simulate(5, 10).history == alone


def always(outcome: Outcome) -> Callable[..., Outcome]:
    def simulated(seed: int, orders: int, *, naive: bool = False) -> Outcome:
        return outcome

    return simulated


def test_failing_seed_says_how_to_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = simulate(5, 20)
    sound.findings.duplicated.extend(["I3: O1 is 2 orders at the broker"] * 2)
    monkeypatch.setattr(campaign, "simulate", always(sound))

    result = campaign.run(orders=20, first_seed=5, per_seed=200)

    assert result.problems == [
        "seed 5: I3: O1 is 2 orders at the broker (and 1 more); repeat: ./vyomo simulate --orders 20 --seed 5 --trace history.txt"
    ]


def test_run_whose_control_makes_no_duplicate_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = simulate(5, 20)
    monkeypatch.setattr(campaign, "simulate", always(sound))

    result = campaign.run(orders=20, first_seed=5, per_seed=200)

    [problem] = result.problems
    assert problem.startswith("the control worker made 0 duplicates in 60 orders")
