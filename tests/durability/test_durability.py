"""Power cuts and full disks in the size of every test run: `./vyomo durability --cuts 20` makes more of them.

Skipped with the reason where the machine does not let us have disks of our own: look for "NOT TESTED" in the summary.
"""

import ctypes
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from vyomo_durability.command import EXIT_FORBIDDEN, PARTS
from vyomo_durability.report import as_table, violations

from vyomo_service_kit.embedded.processes import ChildUser, child_setup

_LIBC = ctypes.CDLL(None)
_DROP_FROM_BOUNDING_SET, _CAP_SYS_ADMIN = 24, 21
RUN = Path(__file__).parent / "run.py"
KEPT: dict[str, Any] = {
    "postgresql_acknowledged": 900,
    "postgresql_lost": 0,
    "postgresql_torn": 0,
    "postgresql_control_lost": 7,
    "nats_full_refused": 1,
    "nats_full_worked_again": 1,
    "nats_full_lost": 0,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", PARTS)
def test_what_was_acknowledged_is_there(part: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, RUN, "--only", part, "--cuts", "1", "--json", "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=child_setup(
            signal.SIGTERM, ChildUser.SAME
        ),  # it takes its disks down, also when we are killed
    )
    if run.returncode == EXIT_FORBIDDEN:
        pytest.skip(run.stderr.strip())

    assert run.returncode == 0, run.stdout + run.stderr
    assert violations(json.loads(run.stdout)) == []
    assert list(tmp_path.iterdir()) == []


def test_machine_that_forbids_disks_of_our_own_is_told_loudly(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, RUN, "--only", "nats-full", "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: _LIBC.prctl(_DROP_FROM_BOUNDING_SET, _CAP_SYS_ADMIN, 0, 0, 0),
    )

    assert run.returncode == EXIT_FORBIDDEN, run.stderr
    assert run.stderr.startswith("NOT TESTED: power cuts and full disks.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("postgresql_lost", 1),
        ("postgresql_torn", 1),
        ("nats_full_lost", 1),
        ("postgresql_acknowledged", 0),
        ("postgresql_control_lost", 0),
        ("nats_full_refused", 0),
        ("nats_full_worked_again", 0),
    ],
)
def test_each_broken_promise_and_each_blind_control_is_told(figure: str, value: int) -> None:
    assert violations(KEPT) == []

    assert len(violations({**KEPT, figure: value})) == 1
    assert "BROKEN" in as_table({**KEPT, figure: value})
