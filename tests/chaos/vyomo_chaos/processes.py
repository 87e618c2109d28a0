"""The processes a run may break, by name: those the supervisor keeps alive, and workers that are kept alive here."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from vyomo_bench import machine

_FOLDER: Final = Path(__file__).resolve().parents[1]
_BENCH: Final = _FOLDER.parent / "bench"
_RESTART_SECONDS: Final = 0.3
_END_SECONDS: Final = 15.0


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

    async def _keep(self) -> None:
        while not self._stopping:
            with self._log_path.open("ab") as log:
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

    def __init__(self, state: Path, kept: Sequence[Keeper]) -> None:
        self._state = state
        self._kept = {keeper.name: keeper for keeper in kept}
        self._stopped: set[int] = set()

    def pids(self, name: str) -> list[int]:
        """The process and its children; empty while it is being started again."""
        pid = self._kept[name].pid if name in self._kept else self._supervised().get(name)
        return [] if pid is None else machine.descendants(pid)

    def _supervised(self) -> dict[str, int]:
        """Process ids by service, and the supervisor's own, as it wrote them down."""
        status = json.loads((self._state / "status.json").read_text())
        services = {each["name"]: each["pid"] for each in status["services"] if each["pid"]}
        return {"supervisor": status["pid"], **services}

    def kill(self, name: str) -> bool:
        """SIGKILL; of a server the parent alone, as a crash does. False when it was not running."""
        for pid in self.pids(name)[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    async def pause(self, name: str, seconds: float) -> bool:
        """SIGSTOP, and SIGCONT later."""
        pids = self.pids(name)
        self._signal(pids, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(pids, signal.SIGCONT)
        return bool(pids)

    async def freeze_everything(self, seconds: float) -> None:
        """Every process of the system stands still, the supervisor first: a laptop's lid."""
        supervised = self._supervised()
        supervisor = supervised.pop("supervisor")
        pids = [supervisor, *(pid for name in (*supervised, *self._kept) for pid in self.pids(name))]
        self._signal(pids, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._signal(pids[::-1], signal.SIGCONT)

    async def wipe_bus(self) -> bool:
        """Kill NATS and delete everything it stored, before the supervisor starts it again."""
        supervisor = [self._supervised()["supervisor"]]
        self._signal(supervisor, signal.SIGSTOP)
        try:
            wiped = self.kill("nats")
            await asyncio.sleep(0.05)
            for store in self._state.glob("nats/**/jetstream"):
                shutil.rmtree(store, ignore_errors=True)
        finally:
            self._signal(supervisor, signal.SIGCONT)
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
