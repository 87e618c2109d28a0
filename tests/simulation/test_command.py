import json
import subprocess
import sys
from pathlib import Path

import pytest
from vyomo_simulation.command import main

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(120)
def test_vyomo_simulate_prints_one_flat_object_and_succeeds() -> None:
    command = (sys.executable, "-m", "vyomo_local", "simulate", "--orders", "40", "--seed", "2", "--json")
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["problems"] == []
    assert {name: said[name] for name in ("orders", "seeds", "lost", "duplicated", "stuck")} == {
        "orders": 40,
        "seeds": 1,
        "lost": 0,
        "duplicated": 0,
        "stuck": 0,
    }
    assert {"ambiguous", "kills", "pauses", "control_duplicated", "orders_per_s", "history"} <= said.keys()


def test_trace_tells_what_happened_in_the_first_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--orders", "20", "--seed", "2", "--trace", str(tmp_path / "history.txt")])

    history = (tmp_path / "history.txt").read_text()
    assert "POST /accounts/" in history
    assert "order.accepted" in history
    assert "orders per s" in capsys.readouterr().out


def test_no_orders_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--orders", "0"])

    assert "at least one" in capsys.readouterr().err
