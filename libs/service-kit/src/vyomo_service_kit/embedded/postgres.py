"""Embedded PostgreSQL: programs from a wheel, one Unix socket in a private folder, full durability by default."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from vyomo_service_kit.embedded.errors import (
    AlreadyRunningError,
    InitialisationFailedError,
    UnsafeFolderError,
)
from vyomo_service_kit.embedded.folders import socket_folder
from vyomo_service_kit.embedded.postgres_binaries import (
    PostgresBinaries,
    find_postgres,
    postgres_major,
    reachable_binaries,
)
from vyomo_service_kit.embedded.processes import (
    NOBODY,
    ChildUser,
    ProcessRecord,
    child_setup,
    unprivileged_user,
)
from vyomo_service_kit.embedded.server import EmbeddedServer

SUPERUSER = "vyomo"
DATABASE = "vyomo"
_PORT = 5432  # only names the socket file; nothing listens on TCP
_SOCKET_NAME = f".s.PGSQL.{_PORT}"
_INITIALISE_SECONDS = 120
_STATUS_LINE = 7
# Said for less than a second after a kill -9, until the last backend has noticed that its postmaster is gone.
_PASSING_FAILURES = ("pre-existing shared memory block", "could not create any Unix-domain sockets")


class EmbeddedPostgres(EmbeddedServer):
    """One PostgreSQL cluster with the database `vyomo`, owned by the superuser `vyomo`."""

    name: ClassVar[str] = "postgresql"
    death_signal: ClassVar[signal.Signals] = signal.SIGINT  # fast shutdown
    stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]] = (
        (signal.SIGINT, 15.0),
        (signal.SIGQUIT, 5.0),
    )

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        max_connections: int = 60,
        log_path: Path | None = None,
        start_timeout_seconds: float = 90.0,
        run_as: ChildUser | None = None,
    ) -> None:
        super().__init__(directory, log_path=log_path, start_timeout_seconds=start_timeout_seconds)
        self.data_directory = self.directory / "data"
        self.socket_directory = self.directory / "run"
        self._durable = durable
        self._max_connections = max_connections
        self._run_as = run_as
        self._binaries = PostgresBinaries(Path(), "none")

    @property
    def url(self) -> str:
        return self.database_url(DATABASE)

    def database_url(self, database: str) -> str:
        folder = quote(str(self.socket_directory), safe="/")
        # With its port, since a PGPORT in the caller's environment would name another socket.
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={folder}&port={_PORT}"

    @property
    def binaries(self) -> PostgresBinaries:
        return self._binaries

    def stop(self) -> None:
        super().stop()
        # A socket folder under the temporary folder would outlive the state folder that it belongs to.
        if not self.socket_directory.is_relative_to(self.directory):
            with contextlib.suppress(OSError):
                self.socket_directory.rmdir()

    def _prepare_data(self) -> None:
        user = self._user()
        if user is ChildUser.NOBODY:
            _require_reachable(self.directory)
        self._binaries = reachable_binaries(find_postgres(), user, self.directory / "programs")
        self.socket_directory = socket_folder(
            self.directory / "run", longest_name=f"{_SOCKET_NAME}.lock", owner=self._owner()
        )
        if not self.data_directory.exists():
            self._initialise()
        self._write_settings(self.data_directory)
        self._clear_stale_locks()

    def _initialise(self) -> None:
        """Build the cluster aside and rename it into place, so that a kill in the middle leaves no half of one."""
        postgres_major(self._binaries)
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._run(
            "initdb",
            *("-D", fresh, "-U", SUPERUSER, "-A", "trust", "--encoding=UTF8", "--data-checksums"),
            *("--wal-segsize=64", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"),
            *(() if self._durable else ("--no-sync",)),
        )
        self._write_settings(fresh)
        # Single-user mode needs no server, no socket and no client library.
        self._run("postgres", "--single", "-D", fresh, "postgres", given=f"CREATE DATABASE {DATABASE}\n")
        fresh.rename(self.data_directory)

    def _run(self, program: str, *arguments: str | Path, given: str = "") -> None:
        result = subprocess.run(  # noqa: S603
            [self._binaries.program(program), *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INITIALISE_SECONDS,
            env=dict(self._environment()),
            cwd=self.directory,
            umask=0o077,
            preexec_fn=child_setup(signal.SIGKILL, self._user()),
        )
        output = f"{result.stdout}\n{result.stderr}"
        # Single-user mode reports a failed statement on stderr and still ends with 0.
        if result.returncode != 0 or "ERROR:" in result.stderr or "FATAL:" in result.stderr:
            raise InitialisationFailedError(f"{self.name} ({program})", output)

    def _write_settings(self, data: Path) -> None:
        switch = "on" if self._durable else "off"
        folder = str(self.socket_directory).replace("'", "''")
        settings: dict[str, str | int] = {
            "listen_addresses": "''",
            "port": _PORT,
            "unix_socket_directories": f"'{folder}'",
            "unix_socket_permissions": "0700",
            "max_connections": self._max_connections,
            "superuser_reserved_connections": 3,
            "shared_buffers": "128MB",
            "wal_level": "replica",
            "fsync": switch,
            "synchronous_commit": switch,
            "full_page_writes": switch,
            "min_wal_size": "256MB",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "jit": "off",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            "lc_messages": "'C'",
            "default_text_search_config": "'pg_catalog.english'",
            "log_line_prefix": "'%m [%p] %u@%d '",
            "log_checkpoints": "off",
            "log_min_duration_statement": "1000",
        }
        lines = [
            "# Written at each start; set what you need to change in postgresql.auto.conf with ALTER SYSTEM.",
            *(f"{name} = {value}" for name, value in settings.items()),
            "",
        ]
        self._replace(data / "postgresql.conf", "\n".join(lines))
        # Only the socket exists and only the owner of its folder can reach it.
        self._replace(data / "pg_hba.conf", "local all all trust\n")

    def _replace(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        owner = self._owner()
        if owner is not None:
            os.chown(path, owner, owner)

    def _clear_stale_locks(self) -> None:
        """PostgreSQL trusts the pid in its lock file; after a reboot that pid may be anybody's."""
        path = self.data_directory / "postmaster.pid"
        pid = _first_number(path)
        if pid is not None and ProcessRecord.of(pid) is not None and _works_in(pid, self.data_directory):
            raise AlreadyRunningError(self.name, self.data_directory, pid)
        path.unlink(missing_ok=True)
        for name in (_SOCKET_NAME, f"{_SOCKET_NAME}.lock"):
            (self.socket_directory / name).unlink(missing_ok=True)

    def _command(self) -> Sequence[str | Path]:
        return [self._binaries.program("postgres"), "-D", self.data_directory]

    def _accepts_clients(self) -> bool:
        try:
            lines = (self.data_directory / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return (
            len(lines) > _STATUS_LINE
            and self._process is not None
            and lines[0].strip() == str(self._process.pid)
            and lines[_STATUS_LINE].strip() == "ready"
        )

    def _is_passing_failure(self, log: str) -> bool:
        return any(text in log for text in _PASSING_FAILURES)

    def _environment(self) -> Mapping[str, str]:
        # Nothing of the caller's PG* or LC_* variables may change what initdb makes.
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def _user(self) -> ChildUser:
        return self._run_as or unprivileged_user()


def _require_reachable(folder: Path) -> None:
    for parent in folder.parents:
        details = parent.stat()
        if not details.st_mode & 0o001 and details.st_uid != NOBODY:
            raise UnsafeFolderError(
                folder,
                f"this machine refuses user namespaces, so PostgreSQL runs as user nobody, who cannot enter "
                f"{str(parent)!r}; choose another state folder, or do not run as root",
            )


def _first_number(path: Path) -> int | None:
    try:
        return abs(int(path.read_text(encoding="utf-8").split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _works_in(pid: int, folder: Path) -> bool:
    """Whether the process is a postmaster of this data folder (it makes the folder its current one)."""
    link = Path(f"/proc/{pid}/cwd")
    try:
        return link.resolve(strict=True) == folder.resolve()
    except OSError:
        # No /proc (macOS), or not ours to look at: PostgreSQL's own check decides.
        return not Path("/proc/self").exists()
