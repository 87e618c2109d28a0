"""Keeps the units alive, writes down how they fare, and stops them in order."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from vyomo_local.rotation import rotate_large_logs
from vyomo_local.state import StateFolder, write_status
from vyomo_local.units import Phase, ServerUnit, ServiceUnit, Unit, UnitFailedError

DRAIN_LIMIT_SECONDS = 15.0
_CHECK_SECONDS = 1.0
_STALL_SECONDS = 5.0
_ROTATE_EVERY_CHECKS = 10
_START_ATTEMPTS = 3
_POLL_SECONDS = 0.02


class Supervisor:
    def __init__(self, state: StateFolder, announce: Callable[[str], None]) -> None:
        self.facts: dict[str, Any] = {}
        """What `status` says besides the services: URL and ports."""
        self.port_claims: list[socket.socket] = []
        """Held as long as we live: a service finds its port again after a restart, too."""
        self._state = state
        self._announce = announce
        self._units: list[Unit] = []
        self._tasks: dict[Unit, asyncio.Task[None]] = {}
        self._publishing: asyncio.TimerHandle | None = None
        self._started = False
        self._since = datetime.now(UTC)

    def add(self, unit: Unit, *, before: str | None = None) -> None:
        """Services stop from the last to the first; `before` names the one that is to stop earlier than this."""
        if isinstance(unit, ServiceUnit):
            unit.end_orphan()
            unit.watch()
        names = [each.name for each in self._units]
        self._units.insert(names.index(before) if before in names else len(names), unit)
        self._tasks[unit] = asyncio.create_task(unit.run(), name=unit.name)

    async def until_ready(self, unit: Unit) -> None:
        """Wait for a unit's first readiness; one that keeps ending is a failed start."""
        task = self._tasks[unit]
        while not unit.ready.is_set():
            if task.done():
                task.result()
            if unit.restarts >= _START_ATTEMPTS:
                raise UnitFailedError(
                    unit.name, unit.log_path, f"ended {unit.restarts} times before it was ready"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self, stop: asyncio.Event) -> None:
        """Everything is up: look after it until told to stop."""
        self._started = True
        self.publish()
        checked_at = time.monotonic()
        for count in itertools.count(1):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _CHECK_SECONDS)
                return
            now = time.monotonic()
            if now - checked_at > _STALL_SECONDS:  # we were stopped or starved ourselves
                for unit in self._units:
                    unit.forgive()
            checked_at = now
            for unit in self._units:
                unit.check()
            if count % _ROTATE_EVERY_CHECKS == 0:
                rotate_large_logs(self._state.logs)

    async def stop(self) -> None:
        """Drain the services one after the other, then stop the bus and the database they need for it."""
        for unit in self._units:
            unit.begin_stop()
        deadline = time.monotonic() + DRAIN_LIMIT_SECONDS
        for unit in reversed(self._services()):
            await self._drain(unit, deadline)
        for unit in sorted(self._servers(), key=lambda server: server.name):  # the bus, then the database
            self._tasks[unit].cancel()
            # In a thread, so that a second Ctrl-C is still heard.
            await asyncio.to_thread(unit.server.stop)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for unit in self._services():
            unit.close()
        if self._publishing is not None:
            self._publishing.cancel()
        for claim in self.port_claims:
            claim.close()

    def kill(self) -> None:
        """Give up on an orderly end; every child dies, and everything durable is durable already."""
        for process in (unit.process for unit in self._units):
            if process is not None and process.poll() is None:
                process.kill()

    def unit_changed(self, unit: Unit, message: str) -> None:
        if message and unit.phase in {Phase.BACKING_OFF, Phase.READY} and self._started:
            self._announce(f"! {unit.name}: {message}")
        if self._publishing is None:
            self._publishing = asyncio.get_running_loop().call_later(0.05, self.publish)

    def publish(self) -> None:
        self._publishing = None
        with contextlib.suppress(OSError):  # a full disk is no reason to end what is supervised
            write_status(self._state, self.status())

    def status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "started": self._started,
            "since": self._since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            **self.facts,
            "services": [unit.describe() for unit in self._units],
            "health": health_of(self._units) if self._started else "starting",
        }

    async def _drain(self, unit: ServiceUnit, deadline: float) -> None:
        task = self._tasks[unit]
        if unit.phase is Phase.BACKING_OFF:
            task.cancel()
            return
        process = unit.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        _, pending = await asyncio.wait({task}, timeout=max(deadline - time.monotonic(), 0.05))
        if pending:
            process.kill()
            await asyncio.wait({task}, timeout=5)

    def _services(self) -> list[ServiceUnit]:
        return [unit for unit in self._units if isinstance(unit, ServiceUnit)]

    def _servers(self) -> list[ServerUnit]:
        return [unit for unit in self._units if isinstance(unit, ServerUnit)]


def health_of(units: Iterable[Unit]) -> str:
    healthy = [unit.healthy for unit in units]
    if healthy and all(healthy):
        return "ok"
    return "degraded" if any(healthy) else "down"


def service_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with ours on top; logs must not wait in a buffer when a process is killed."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra}
