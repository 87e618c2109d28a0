"""The size of CI: the real system among faults. What must be 0 is 0, or the run says which promise was broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MINUTES = "1"
ORDERS_A_SECOND = "6"
SECONDS_BETWEEN_FAULTS = "1.5"
REPEATS = "500"


@pytest.mark.timeout(600)
def test_no_promise_is_broken_among_kills_pauses_partitions_and_kill_switches(tmp_path: Path) -> None:
    size = ("--minutes", MINUTES, "--rate", ORDERS_A_SECOND, "--every", SECONDS_BETWEEN_FAULTS)
    more = ("--freeze", "6", "--switches", "10", "--repeats", REPEATS, "--seed", "7")
    done = subprocess.run(
        (sys.executable, "-m", "vyomo_local", "chaos", *size, *more, "--json", "--folder", str(tmp_path)),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        # A group of its own for the scheduler: all traffic goes through this process.
        start_new_session=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert {name: said[name] for name in ("lost", "duplicated", "stuck", "keys_broken", "sent_expired")} == {
        "lost": 0,
        "duplicated": 0,
        "stuck": 0,
        "keys_broken": 0,
        "sent_expired": 0,
    }
    assert (said["claims_after_kill"], said["secrets_found"]) == (0, 0)
    # As many as a busy machine manages, too.
    assert said["orders"] > 50
    assert said["kills"] > 5
    assert said["keys_repeated"] >= int(REPEATS)
    assert {f"f{number}_hits" for number in range(1, 23) if number not in {19, 20, 21}} <= said.keys()
