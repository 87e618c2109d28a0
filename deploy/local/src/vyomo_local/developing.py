"""`./vyomo check`, `test`, `bench`, `chaos`, `simulate` and `durability`: the same commands on a laptop, before a commit and in CI."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vyomo_local.state import project_folder

# Of the tests that drive one running system each must find it as it left it: they share a worker.
_SIDE_BY_SIDE = ("--numprocesses", "3", "--dist", "loadgroup")


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    command: Sequence[str]


def checks() -> dict[str, Check]:
    scripts = Path(sys.executable).parent
    every = (
        Check("format", (sys.executable, "-m", "ruff", "format", "--check", ".")),
        Check("lint", (sys.executable, "-m", "ruff", "check", ".")),
        Check("types", (sys.executable, "-m", "pyright", "--pythonpath", sys.executable)),
        Check("imports", (str(scripts / "lint-imports"),)),
        Check("page", (sys.executable, "-m", "vyomo_dashboard.check")),
    )
    return {check.name: check for check in every}


def check(names: Sequence[str]) -> int:
    """Run the named checks, or all; goes on after a failure so that one run shows everything."""
    known = checks()
    failed: list[str] = []
    for name in names or list(known):
        started_at = time.monotonic()
        exit_code = _run(known[name].command)
        seconds = time.monotonic() - started_at
        sys.stdout.write(f"{'ok' if exit_code == 0 else 'FAIL':<5} {name:<8} {seconds:6.1f} s\n")
        sys.stdout.flush()
        if exit_code != 0:
            failed.append(name)
    return 1 if failed else 0


def test(arguments: Sequence[str]) -> int:
    # Tests wait for processes more than they compute; a chosen few are sooner done without starting workers first.
    is_everything = all(argument.startswith("-") for argument in arguments)
    side_by_side = _SIDE_BY_SIDE if is_everything else ()
    return _run((sys.executable, "-m", "pytest", *side_by_side, *arguments))


def bench(arguments: Sequence[str]) -> int:
    return _run((sys.executable, str(project_folder() / "tests" / "bench" / "run.py"), *arguments))


def chaos(arguments: Sequence[str]) -> int:
    return _run((sys.executable, str(project_folder() / "tests" / "chaos" / "run.py"), *arguments))


def simulate(arguments: Sequence[str]) -> int:
    return _run((sys.executable, str(project_folder() / "tests" / "simulation" / "run.py"), *arguments))


def durability(arguments: Sequence[str]) -> int:
    return _run((sys.executable, str(project_folder() / "tests" / "durability" / "run.py"), *arguments))


def _run(command: Sequence[str]) -> int:
    environment = dict(os.environ)
    # Tools start each other by name: those of this environment, whatever is on the caller's PATH.
    environment["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
    )
    sys.stdout.flush()
    process = subprocess.Popen(command, cwd=project_folder(), env=environment)  # noqa: S603
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal sent it to the tool as well, which takes the time it needs to stop what it started.
            continue
