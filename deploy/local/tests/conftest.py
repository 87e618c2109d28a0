import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vyomo_local.state import StateFolder
from vyomo_service_kit.embedded.ports import choose_port

FAKE = Path(__file__).parent / "fakes" / "fake_vyomo.py"


@dataclass(frozen=True)
class Cli:
    """The command line over the small fake system, each call a real process."""

    state: StateFolder
    port: int

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(FAKE), *arguments, "--state", str(self.state.root)]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
            env={**os.environ, **environment},
        )

    def up(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--detach", "--port", str(self.port), *arguments, **environment)

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def service(self, name: str) -> dict[str, Any]:
        return next(service for service in self.status()["services"] if service["name"] == name)

    def pids(self) -> list[int]:
        """Supervisor first, then everything it runs."""
        document = self.status()
        return [document["pid"], *(service["pid"] for service in document["services"] if service["pid"])]

    def mark(self, name: str) -> Path:
        """Ask a fake service for misbehaviour."""
        self.state.create()
        path = self.state.services / name
        path.touch()
        return path


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    running = Cli(StateFolder(tmp_path / "a state"), choose_port(0))
    yield running
    record = running.state.running_supervisor()
    if record is not None:
        record.send(signal.SIGKILL)
        record.wait_gone(10)
    shutil.rmtree(running.state.root, ignore_errors=True)  # a hundred megabytes that pytest would keep
