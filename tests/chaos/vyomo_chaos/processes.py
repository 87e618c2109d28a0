"""The processes a run may break, by name: those the supervisor keeps alive, and workers that are kept alive here."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from vyomo_bench import machine

from vyomo_service_kit.embedded.processes import ProcessRecord

from .servers import KeptServer

_FOLDER: Final = Path(__file__).resolve().parents[1]
_BENCH: Final = _FOLDER.parent / "bench"
_RESTART_SECONDS: Final = 0.3
_END_SECONDS: Final = 15.0
_READY_LIMIT_SECONDS: Final = 120.0
_STOP_LIMIT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02


class Keeper:
    """Keeps one module of this package running, as the supervisor does with services: started again when it ends."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log_path: Path
    ) -> None:
        self.name = name
        module = arguments[0]
        self._command = (sys.executable, "-m", f"vyomo_chaos.{module}", *arguments[1:])
        path = os.pathsep.join((str(_FOLDER), str(_BENCH)))
        self._environment = {**os.environ, **environment, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        self._born_at = 0
        """Where the log of its present life begins."""

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._stopping = True
            await self._end()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @property
    def is_up(self) -> bool:
        """Whether this life of it has said that it is ready."""
        if self.pid is None:
            return False
        with self._log_path.open("rb") as log:
            log.seek(self._born_at)
            return b"service.ready" in log.read()

    async def until_up(self) -> None:
        async with asyncio.timeout(_READY_LIMIT_SECONDS):
            while not self.is_up:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _keep(self) -> None:
        while not self._stopping:
            with self._log_path.open("ab") as log:
                self._born_at = log.seek(0, os.SEEK_END)
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            while self._process.poll() is None:
                await asyncio.sleep(0.05)
            await asyncio.sleep(_RESTART_SECONDS)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                while process.poll() is None:
                    await asyncio.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait()


class Processes:
    """Breaks things by name and knows how to undo what it did."""

    def __init__(self, state: Path, servers: Sequence[KeptServer]) -> None:
        self._state = state
        self._kept: dict[str, Keeper | KeptServer] = {server.name: server for server in servers}
        self._servers = {server.name: server for server in servers}
        self._stopped: set[int] = set()

    def keep(self, keeper: Keeper) -> None:
        """One more that may be broken."""
        self._kept[keeper.name] = keeper

    def pids(self, name: str) -> list[int]:
        """The process and its children; empty while it is being started again."""
        pid = self._pid(name)
        return [] if pid is None else machine.descendants(pid)

    def _pid(self, name: str) -> int | None:
        return self._kept[name].pid if name in self._kept else self._supervised().get(name)

    def is_up(self, name: str) -> bool:
        """Whether it has come so far that it serves."""
        if name in self._kept:
            return self._kept[name].is_up
        services = json.loads((self._state / "status.json").read_text())["services"]
        return any(each["name"] == name and each["healthy"] for each in services)

    def _supervised(self) -> dict[str, int]:
        """Process ids by service, and the supervisor's own, as it wrote them down."""
        status = json.loads((self._state / "status.json").read_text())
        services = {each["name"]: each["pid"] for each in status["services"] if each["pid"]}
        return {"supervisor": status["pid"], **services}

    def kill(self, name: str) -> bool:
        """SIGKILL; of a server the parent alone, as a crash does. False when it was not running."""
        return self._send(name, signal.SIGKILL) is not None

    async def stop(self, name: str) -> float | None:
        """SIGTERM, and how many seconds the process took to end; None when it was not running."""
        record = self._send(name, signal.SIGTERM)
        began = time.monotonic()
        while record is not None and record.is_alive():
            if time.monotonic() - began > _STOP_LIMIT_SECONDS:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return None if record is None else time.monotonic() - began

    def _send(self, name: str, number: signal.Signals) -> ProcessRecord | None:
        pid = self._pid(name)
        record = None if pid is None else ProcessRecord.of(pid)
        return record if record is not None and record.send(number) else None

    async def pause(self, name: str, seconds: float) -> bool:
        """SIGSTOP, and SIGCONT later."""
        pids = self.pids(name)
        self._signal(pids, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(pids, signal.SIGCONT)
        return bool(pids)

    async def wake(self, pid: int, seconds: float) -> None:
        """A process that stopped itself goes on after so long."""
        self._stopped.add(pid)
        await asyncio.sleep(seconds)
        self._signal([pid], signal.SIGCONT)

    async def freeze(self, names: Sequence[str]) -> None:
        """They stand still until something thaws them."""
        for name in names:
            self._signal(self.pids(name), signal.SIGSTOP)

    async def freeze_everything(self, seconds: float) -> None:
        """Every process of the system stands still, the supervisor first: a laptop's lid."""
        supervised = self._supervised()
        supervisor = supervised.pop("supervisor")
        pids = [supervisor, *(pid for name in (*supervised, *self._kept) for pid in self.pids(name))]
        self._signal(pids, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(pids[::-1], signal.SIGCONT)

    async def wipe_bus(self) -> bool:
        """Kill NATS and delete everything it stored, before it is started again."""
        bus = self._servers["nats"]
        bus.held = True
        try:
            wiped = self.kill("nats")
            while bus.server.is_running:
                await asyncio.sleep(_LOOK_SECONDS)
            shutil.rmtree(bus.server.directory / "jetstream", ignore_errors=True)
        finally:
            bus.held = False
        return wiped

    def resume_all(self) -> None:
        """Undo every pause, also after a fault was interrupted."""
        self._signal(list(self._stopped), signal.SIGCONT)

    def _signal(self, pids: Sequence[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            if number is signal.SIGSTOP:
                self._stopped.add(pid)
            else:
                self._stopped.discard(pid)
