"""The life of one embedded server: lock, prepare, launch, wait, stop; the same for PostgreSQL and NATS."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from vyomo_service_kit.embedded.errors import AlreadyRunningError, StartFailedError, StartTimeoutError
from vyomo_service_kit.embedded.folders import private_folder
from vyomo_service_kit.embedded.processes import (
    NOBODY,
    ChildUser,
    ProcessRecord,
    spawn,
    stop_process,
    wait_until,
)

_RELAUNCH_SECONDS = 10.0
_ORPHAN_SECONDS = 10.0
_LOG_TAIL_BYTES = 4096


class EmbeddedServer(ABC):
    """A server process that belongs to this process and keeps its data in one folder.

    `start()` and `stop()` block. A supervisor with an event loop calls `prepare()` and `launch()`, then asks
    `is_ready()` from time to time. All of them must be called from the thread that owns the server.
    """

    name: ClassVar[str]
    death_signal: ClassVar[signal.Signals]
    stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]]

    def __init__(self, directory: Path, *, log_path: Path | None, start_timeout_seconds: float) -> None:
        self.directory = directory.absolute()
        self.log_path = (log_path or self.directory / f"{self.name}.log").absolute()
        self.start_timeout_seconds = start_timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._log_offset = 0
        self.was_ready = False
        self._relaunch_until = 0.0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Prepare, launch and wait until clients can connect."""
        try:
            self.prepare()
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """Take the folder, end what an earlier run left behind, create the data when there is none."""
        private_folder(self.directory, owner=self._owner())
        self._take_lock()
        self._end_orphan()
        self._prepare_data()

    def launch(self) -> None:
        """Start the process; returns at once."""
        self._relaunch_until = time.monotonic() + _RELAUNCH_SECONDS
        self._spawn()

    def is_ready(self) -> bool:
        """Ask once; raises StartFailedError when the process has ended for good."""
        process = self._process
        if process is None:
            raise RuntimeError("launch() comes before is_ready()")
        exit_code = process.poll()
        if exit_code is None:
            accepts = self._accepts_clients()
            self.was_ready = self.was_ready or accepts
            return accepts
        log = self._log_since_launch()
        if time.monotonic() < self._relaunch_until and self._is_passing_failure(log):
            time.sleep(0.05)
            self._spawn()
            return False
        raise StartFailedError(self.name, exit_code, log)

    def wait_ready(self) -> None:
        if not wait_until(self.is_ready, timeout_seconds=self.start_timeout_seconds):
            raise StartTimeoutError(self.name, self.start_timeout_seconds, self._log_since_launch())

    def stop(self) -> None:
        """Stop in an orderly way, with force when that takes too long, and give the folder back."""
        if self._process is not None:
            stop_process(self._process, self.stop_steps)
            self._process = None
            self._record_path.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _prepare_data(self) -> None: ...

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def _accepts_clients(self) -> bool: ...

    def _is_passing_failure(self, log: str) -> bool:
        """Whether this end is worth another launch within the next seconds."""
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        return {"PATH": os.defpath}

    def _user(self) -> ChildUser:
        return ChildUser.SAME

    def _owner(self) -> int | None:
        return NOBODY if self._user() is ChildUser.NOBODY else None

    @property
    def _record_path(self) -> Path:
        return self.directory / f"{self.name}.process"

    def _spawn(self) -> None:
        self._log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._process = spawn(
            self._command(),
            log_path=self.log_path,
            environment=self._environment(),
            death_signal=self.death_signal,
            directory=self.directory,
            user=self._user(),
        )
        record = ProcessRecord.of(self._process.pid)
        if record is not None:
            with contextlib.suppress(OSError):  # on a full disk the server is looked after all the same
                record.write(self._record_path)

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        # The kernel drops the lock when we die, however we die; a file with a pid in it would not.
        descriptor = os.open(
            self.directory / f"{self.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            record = ProcessRecord.read(self._record_path)
            raise AlreadyRunningError(self.name, self.directory, record.pid if record else None) from None
        self._lock = descriptor

    def _end_orphan(self) -> None:
        """A server whose owner was killed gets its death signal from the kernel; where it does not, we send it."""
        record = ProcessRecord.read(self._record_path)
        if record is None or not record.is_alive():
            return
        if self._process is not None and record.pid == self._process.pid:
            raise AlreadyRunningError(self.name, self.directory, record.pid)
        for number in (self.death_signal, signal.SIGKILL):
            record.send(number)
            if record.wait_gone(_ORPHAN_SECONDS):
                return
        raise AlreadyRunningError(self.name, self.directory, record.pid)

    def _log_since_launch(self) -> str:
        try:
            with self.log_path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._log_offset if self._log_offset <= size else 0, size - _LOG_TAIL_BYTES))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""
