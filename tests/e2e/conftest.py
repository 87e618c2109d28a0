"""One system for all end-to-end tests, started the way a user starts it."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 180
FOLDER = Path(__file__).resolve().parent
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One system, so one worker, when tests run side by side."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.xdist_group("e2e"))


@dataclass(frozen=True)
class System:
    """The running system, as its user sees it."""

    state: Path
    url: str
    key: str

    def vyomo(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run_vyomo(self.state, *arguments, check=check)

    def status(self) -> dict[str, Any]:
        return json.loads(self.vyomo("status", "--json", check=False).stdout)

    def pid_of(self, service: str) -> int:
        return next(each["pid"] for each in self.status()["services"] if each["name"] == service)

    def client(self, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=15, trust_env=False, **options)


def run_vyomo(
    state: Path, *arguments: str, check: bool = True, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vyomo_local", "--state", str(state), *arguments]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=check,
    )


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    state = tmp_path_factory.mktemp("a system") / "state"
    started = run_vyomo(state, "up", "--detach", check=False)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        status = json.loads(run_vyomo(state, "status", "--json").stdout)
        key = run_vyomo(state, "key").stdout.strip()
        yield System(state, status["url"], key)
    finally:
        run_vyomo(state, "down", check=False)


@pytest.fixture
def api(system: System) -> Iterator[httpx.Client]:
    with system.client() as client:
        yield client


@pytest.fixture
def account(api: httpx.Client) -> int:
    """A fresh paper account with unlimited capital that takes orders at any rate."""
    body = {"broker": "paper", "clientId": f"TEST{next(_numbers)}", "initialCapital": "unlimited"}
    answer = api.post("/api/brokers/accounts", json=body)
    assert answer.status_code == 201, answer.text
    account: int = answer.json()["account"]["id"]
    limits = api.put("/api/risk/limits", params={"accountId": account}, json={"ordersPerSecond": 100_000})
    assert limits.status_code == 200, limits.text
    return account
