"""The state folder: everything `./vyomo` keeps between runs, readable by its owner only."""

import fcntl
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vyomo_service_kit.embedded.folders import private_folder
from vyomo_service_kit.embedded.processes import ProcessRecord, write_private_file

STATE_VARIABLE = "VYOMO_STATE"
PROJECT_VARIABLE = "VYOMO_PROJECT"
COMMAND_VARIABLE = "VYOMO_COMMAND"


@dataclass(frozen=True, slots=True)
class StateFolder:
    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def services(self) -> Path:
        """Records of the service processes, and their current folder."""
        return self.root / "services"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def postgres(self) -> Path:
        return self.root / "postgresql"

    @property
    def api_key(self) -> Path:
        return self.root / "api-key"

    @property
    def anchors(self) -> Path:
        """What the audit chain was at some moments: outside the database, so that a chain made anew does not fit it."""
        return self.root / "audit" / "anchors.jsonl"

    @property
    def status(self) -> Path:
        return self.root / "status.json"

    @property
    def connections(self) -> Path:
        """URLs of the running bus and database, passwords included; for our own tools, hence apart from the status."""
        return self.root / "connections.json"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor.process"

    def create(self) -> None:
        for folder in (self.root, self.logs, self.keys, self.services, self.anchors.parent):
            private_folder(folder)

    def running_supervisor(self) -> ProcessRecord | None:
        """The supervisor of this folder, if one lives."""
        record = ProcessRecord.read(self.supervisor)
        return record if record is not None and record.is_alive() else None

    def read_status(self) -> dict[str, Any] | None:
        return _read_json(self.status)

    def read_connections(self) -> dict[str, Any] | None:
        return _read_json(self.connections)


class SupervisorLock:
    """Held for as long as a supervisor lives; the kernel drops it however the supervisor ends."""

    def __init__(self, state: StateFolder) -> None:
        self._state = state
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        path = self._state.root / "supervisor.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        # A status left by a killed run describes processes that are gone.
        self._state.status.unlink(missing_ok=True)
        record = ProcessRecord.of(os.getpid())
        if record is not None:
            record.write(self._state.supervisor)
        return True

    def release(self) -> None:
        if self._descriptor is None:
            return
        for path in (self._state.status, self._state.connections, self._state.supervisor):
            path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None


def write_status(state: StateFolder, status: dict[str, Any]) -> None:
    write_private_file(state.status, json.dumps(status), durable=False)


def write_connections(
    state: StateFolder, *, nats_url: str, postgres_url: str, events_url: str | None
) -> None:
    document = json.dumps({"nats_url": nats_url, "postgres_url": postgres_url, "events_url": events_url})
    write_private_file(state.connections, document, durable=False)


def project_folder() -> Path:
    """Root of the checkout; the launcher says where, and an editable install knows."""
    told = os.environ.get(PROJECT_VARIABLE)
    return Path(told) if told else Path(__file__).resolve().parents[4]


def default_state_folder() -> Path:
    told = os.environ.get(STATE_VARIABLE)
    return Path(told) if told else project_folder() / ".vyomo"


def command(state: StateFolder, *words: str) -> str:
    """A command line for this state folder, with the launcher as the user called it."""
    launcher = os.environ.get(COMMAND_VARIABLE, "./vyomo")
    chosen = [] if state.root == default_state_folder() else ["--state", str(state.root)]
    return shlex.join([launcher, *chosen, *words])


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
