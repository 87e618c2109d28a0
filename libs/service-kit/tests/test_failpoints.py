import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vyomo_service_kit import failpoints
from vyomo_service_kit.failpoints import POINTS, Failpoints, UnreadablePlanError

PROJECT = Path(__file__).resolve().parents[3]
SERVICE = """
import asyncio, contextlib
from vyomo_service_kit import failpoints
from vyomo_service_kit.runtime import run_service

@contextlib.asynccontextmanager
async def service():
    failpoints.reach("claim.committed")
    print("survived", flush=True)
    raise SystemExit(0)
    yield

run_service(service)
"""


def plan_in(folder: Path, **changes: Any) -> dict[str, Any]:
    (folder / "armed").touch()
    points = {"claim.committed": {"kill": 0.2, "stop": 0.3}}
    return {
        "seed": 7,
        "hits": str(folder / "hits"),
        "armed": str(folder / "armed"),
        "points": points,
        **changes,
    }


def hits(folder: Path) -> list[dict[str, Any]]:
    path = folder / "hits"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_service_with(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SERVICE],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_chance_strikes_as_often_as_it_says_and_notes_each_strike_first(tmp_path: Path) -> None:
    struck: list[signal.Signals] = []
    armed = Failpoints(plan_in(tmp_path), struck.append)

    for _ in range(1000):
        armed.reach("claim.committed")
        armed.reach("lanes.rung")  # not in the plan

    assert 150 < struck.count(signal.SIGKILL) < 250
    assert 250 < struck.count(signal.SIGSTOP) < 350
    noted = hits(tmp_path)
    assert [failpoints.SIGNALS[hit["action"]] for hit in noted] == struck
    assert {(hit["point"], hit["pid"]) for hit in noted} == {("claim.committed", os.getpid())}


def test_the_same_seed_strikes_at_the_same_times(tmp_path: Path) -> None:
    def struck(folder: Path) -> list[int]:
        folder.mkdir()
        found: list[int] = []
        passed = itertools.count()
        armed = Failpoints(plan_in(folder), lambda _: found.append(next(passed)))
        for _ in range(200):
            next(passed)
            armed.reach("claim.committed")
        return found

    assert struck(tmp_path / "first") == struck(tmp_path / "second") != []


def test_nothing_strikes_once_the_run_is_quiet(tmp_path: Path) -> None:
    struck: list[signal.Signals] = []
    armed = Failpoints(plan_in(tmp_path, points={"lanes.rung": {"kill": 1.0}}), struck.append)
    (tmp_path / "armed").unlink()

    armed.reach("lanes.rung")

    assert struck == []
    assert hits(tmp_path) == []


def test_armed_service_dies_in_the_window_and_says_that_it_is_armed(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(plan_in(tmp_path, points={"claim.committed": {"kill": 1.0}})))

    done = run_service_with({failpoints.VARIABLE: str(plan)})

    assert done.returncode == -signal.SIGKILL
    assert "failpoints.armed" in done.stdout + done.stderr
    assert [hit["point"] for hit in hits(tmp_path)] == ["claim.committed"]


def test_service_without_a_plan_passes_the_window() -> None:
    done = run_service_with({failpoints.VARIABLE: ""})

    assert (done.returncode, done.stdout.strip()) == (0, "survived")


@pytest.mark.parametrize("content", [None, "no json", "{}", '{"seed": 1, "points": {"no.such": {}}}'])
def test_service_refuses_to_start_with_a_plan_that_is_none(tmp_path: Path, content: str | None) -> None:
    plan = tmp_path / "plan.json"
    if content is not None:
        plan.write_text(content)

    done = run_service_with({failpoints.VARIABLE: str(plan)})

    assert done.returncode == 1
    assert UnreadablePlanError.__name__ in done.stderr
    assert "unset it" in done.stderr


def test_every_point_is_reached_somewhere_and_no_other_is() -> None:
    sources = [*PROJECT.glob("libs/*/src/**/*.py"), *PROJECT.glob("services/*/src/**/*.py")]
    reached = {
        line.split('failpoints.reach("')[1].split('"')[0]
        for source in sources
        if source.name != "failpoints.py"
        for line in source.read_text().splitlines()
        if "failpoints.reach(" in line
    }

    assert reached == POINTS
