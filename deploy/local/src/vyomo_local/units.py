"""What the supervisor keeps alive: embedded servers and services, each restarted with back-off when it ends."""

import asyncio
import contextlib
import enum
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vyomo_local.notifications import NotificationSocket
from vyomo_local.state import StateFolder
from vyomo_service_kit.embedded import EmbeddedServer
from vyomo_service_kit.embedded.errors import EmbeddedServerError
from vyomo_service_kit.embedded.processes import ProcessRecord, spawn

READY_LIMIT_SECONDS = 60.0
HEARTBEAT_HEALTHY_SECONDS = 15.0
HEARTBEAT_LIMIT_SECONDS = 20.0
_BACK_OFF_FIRST_SECONDS = 0.2
_BACK_OFF_LIMIT_SECONDS = 10.0
_STEADY_SECONDS = 3.0
_ORPHAN_SECONDS = 5.0


class Phase(enum.StrEnum):
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing-off"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A service as data: what to run and with which environment."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def module(cls, name: str, module: str, environment: Mapping[str, str]) -> "ServiceDefinition":
        return cls(name, (sys.executable, "-m", module), environment)


class UnitFailedError(Exception):
    """A unit could not be brought up."""

    def __init__(self, name: str, log_path: Path, reason: str) -> None:
        self.name = name
        self.log_path = log_path
        super().__init__(f"{name} {reason}")


class Unit(ABC):
    """One supervised process; `run` keeps it alive until `stop`."""

    def __init__(self, name: str, log_path: Path, on_change: Callable[["Unit", str], None]) -> None:
        self.name = name
        self.log_path = log_path
        self.phase = Phase.STARTING
        self.restarts = 0
        self.since = datetime.now(UTC)
        self.detail = ""
        self.ready = asyncio.Event()
        self._on_change = on_change
        self._stopping = False
        self._killed_because = ""
        self._last_healthy: bool | None = None

    @property
    @abstractmethod
    def process(self) -> subprocess.Popen[bytes] | None: ...

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.phase is not Phase.STOPPED else None

    @property
    def healthy(self) -> bool:
        return self.phase is Phase.READY

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "pid": self.pid,
            "healthy": self.healthy,
            "restarts": self.restarts,
            "since": self.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "detail": self.detail or self.phase.value,
        }

    async def run(self) -> None:
        """Start, wait for the end, start again; a unit that held for a while starts its back-off anew."""
        failures = 0
        while True:
            started_at = time.monotonic()
            exit_code = await self._live_once()
            if self._stopping:
                self._move(Phase.STOPPED, "")
                return
            failures = 1 if time.monotonic() - started_at > _STEADY_SECONDS else failures + 1
            delay = min(_BACK_OFF_FIRST_SECONDS * 2 ** (failures - 1), _BACK_OFF_LIMIT_SECONDS)
            self.restarts += 1
            reason = self._killed_because or f"ended with {describe_exit(exit_code)}"
            self._killed_because = ""
            self._move(Phase.BACKING_OFF, f"{reason}; restart {self.restarts} in {delay:g} s")
            await asyncio.sleep(delay)
            self._move(Phase.STARTING, "")

    def check(self) -> None:
        """Look at the unit's health; called every second."""
        if self.healthy != self._last_healthy:
            self._last_healthy = self.healthy
            self._on_change(self, "")

    def forgive(self) -> None:
        """The supervisor itself stood still, so silence proves nothing; a unit that counts silence starts anew."""
        return

    @abstractmethod
    async def _live_once(self) -> int: ...

    def begin_stop(self) -> None:
        self._stopping = True

    def _move(self, phase: Phase, message: str) -> None:
        self.phase = phase
        self.since = datetime.now(UTC)
        self.detail = message
        if phase is Phase.READY:
            self.ready.set()
        self._last_healthy = self.healthy
        back = phase is Phase.READY and self.restarts > 0
        self._on_change(self, "ready again" if back else message)


class ServerUnit(Unit):
    """An embedded server; the first start is made by the supervisor, which needs its ports and URL early."""

    def __init__(self, server: EmbeddedServer, on_change: Callable[[Unit, str], None]) -> None:
        super().__init__(server.name, server.log_path, on_change)
        self.server = server

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self.server.process

    async def _live_once(self) -> int:
        process = self.server.process
        if process is None or process.poll() is not None:
            self.server.launch()
        deadline = time.monotonic() + self.server.start_timeout_seconds
        try:
            while not self.server.is_ready():
                if time.monotonic() > deadline and self.server.process is not None:
                    self.server.process.kill()
                await asyncio.sleep(0.01)
        except EmbeddedServerError:
            if not self.server.was_ready:
                raise
        else:
            self._move(Phase.READY, "")
        assert self.server.process is not None
        return await wait_exit(self.server.process)


class ServiceUnit(Unit):
    """A service that says by sd_notify when it is ready and that it is alive."""

    def __init__(
        self,
        definition: ServiceDefinition,
        state: StateFolder,
        on_change: Callable[[Unit, str], None],
        on_brokers: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        """`on_brokers` is told whose workers the service says are needed."""
        super().__init__(definition.name, state.logs / f"{definition.name}.log", on_change)
        self._on_brokers = on_brokers
        self._definition = definition
        self._record_path = state.services / f"{definition.name}.process"
        self._folder = state.services
        self._socket = NotificationSocket(definition.name)
        self._process: subprocess.Popen[bytes] | None = None
        self._spawned_at = 0.0
        self._heartbeat_at = 0.0

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    @property
    def healthy(self) -> bool:
        return super().healthy and time.monotonic() - self._heartbeat_at < HEARTBEAT_HEALTHY_SECONDS

    def watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read_notifications)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def end_orphan(self) -> None:
        """A service of a killed supervisor normally died with it."""
        record = ProcessRecord.read(self._record_path)
        if record is not None and record.send(signal.SIGKILL):
            record.wait_gone(_ORPHAN_SECONDS)
        self._record_path.unlink(missing_ok=True)

    def forgive(self) -> None:
        self._heartbeat_at = self._spawned_at = time.monotonic()

    def check(self) -> None:
        super().check()
        now = time.monotonic()
        process = self._process
        if process is None or process.poll() is not None:
            return
        if self.phase is Phase.READY and now - self._heartbeat_at > HEARTBEAT_LIMIT_SECONDS:
            self._killed_because = f"no heartbeat for {HEARTBEAT_LIMIT_SECONDS:g} s"
            process.kill()
        elif self.phase is Phase.STARTING and now - self._spawned_at > READY_LIMIT_SECONDS:
            self._killed_because = f"not ready after {READY_LIMIT_SECONDS:g} s"
            process.kill()

    async def _live_once(self) -> int:
        self._process = spawn(
            self._definition.command,
            log_path=self.log_path,
            environment={**self._definition.environment, "NOTIFY_SOCKET": self._socket.address},
            # Not SIGTERM: nobody would be left to follow it with SIGKILL, and being killed is safe by design.
            death_signal=signal.SIGKILL,
            directory=self._folder,
        )
        self._spawned_at = self._heartbeat_at = time.monotonic()
        record = ProcessRecord.of(self._process.pid)
        if record is not None:
            with contextlib.suppress(OSError):  # on a full disk we look after it all the same
                record.write(self._record_path)
        exit_code = await wait_exit(self._process)
        self._record_path.unlink(missing_ok=True)
        return exit_code

    def _read_notifications(self) -> None:
        for notification in self._socket.receive(self._process.pid if self._process else None):
            self._heartbeat_at = time.monotonic()
            if notification.status is not None and notification.status != self.detail:
                self.detail = notification.status
                self._on_change(self, "")
            if notification.brokers:
                self._on_brokers(notification.brokers)
            if notification.ready and self.phase is Phase.STARTING:
                self._move(Phase.READY, self.detail)
            if notification.stopping and self.phase is Phase.READY and not self._stopping:
                self._move(Phase.STOPPING, "stopping")


async def wait_exit(process: subprocess.Popen[bytes]) -> int:
    """Wait for a child without a thread and without polling."""
    if process.poll() is None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        descriptor = os.pidfd_open(process.pid)
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    return process.wait()


def describe_exit(exit_code: int) -> str:
    if exit_code >= 0:
        return f"code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
