"""Child processes that cannot outlive us, and records that name a process without doubt.

Only the standard library is imported: the supervisor stays small and the test plugin loads fast.
"""

import contextlib
import ctypes
import enum
import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
NOBODY = 65534
_NAMESPACE_UID = 1000

ON_LINUX = sys.platform == "linux"


class ChildUser(enum.Enum):
    """Who a child runs as. PostgreSQL refuses to run as root, everything else runs as we do."""

    SAME = "same"
    NAMESPACE = "namespace"
    """A private user namespace in which root is called uid 1000; files stay root's and nothing is chmod-ed."""
    NOBODY = "nobody"
    """For locked-down containers that refuse namespaces; the data folder must then belong to nobody."""


@functools.cache
def unprivileged_user() -> ChildUser:
    """How to start a program that refuses to run as root."""
    if not ON_LINUX or os.geteuid() != 0:
        return ChildUser.SAME
    return ChildUser.NAMESPACE if _namespaces_work() else ChildUser.NOBODY


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process id alone is reused by the kernel; with its start time and the boot it names one process for good."""

    pid: int
    started: str
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord | None":
        """Describe a living process; None when there is none (a zombie does not live)."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started, _boot_id())

    @classmethod
    def read(cls, path: Path) -> "ProcessRecord | None":
        """Load a record; an absent or torn file (we may have been killed while writing) is no record."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            return cls(int(fields["pid"]), str(fields["started"]), str(fields["boot"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        fields = {"pid": self.pid, "started": self.started, "boot": self.boot}
        write_private_file(path, json.dumps(fields), durable=False)  # worthless after a power cut

    def is_alive(self) -> bool:
        return ProcessRecord.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Signal this very process; False when it has already gone."""
        if not self.is_alive():
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    def wait_gone(self, timeout_seconds: float) -> bool:
        return wait_until(lambda: not self.is_alive(), timeout_seconds=timeout_seconds)


def spawn(
    command: Sequence[str | Path],
    *,
    log_path: Path,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    directory: Path | None = None,
    user: ChildUser = ChildUser.SAME,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `death_signal` when the calling *thread* ends (Linux).

    Call it from a thread that lives as long as the child should; in practice the main one. The child leads its own
    session, so that Ctrl-C on the terminal reaches only the supervisor, which knows the order to stop things in.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Append mode lets the supervisor truncate a rotated log under the running writer.
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            umask=0o077,
            preexec_fn=child_setup(death_signal, user),  # noqa: PLW1509
        )
    finally:
        os.close(descriptor)


def child_setup(death_signal: signal.Signals, user: ChildUser) -> Callable[[], None]:
    """Build the function that a forked child runs before exec; everything it needs is loaded here, before the fork."""
    parent = os.getpid()
    libc = _libc() if ON_LINUX else None
    nobody_mode = user is ChildUser.NOBODY
    namespace_mode = user is ChildUser.NAMESPACE

    def setup() -> None:
        if namespace_mode:
            _enter_user_namespace()
        elif nobody_mode:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        if libc is not None:
            # The kernel clears the death signal when the uid changes, so it comes after.
            libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # the parent died before prctl: no signal will come
                os._exit(1)

    return setup


def stop_process(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """Send each signal in turn, waiting its seconds, and SIGKILL after the last; returns the exit code."""
    for number, seconds in steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.poll() is None:
        process.kill()
    return process.wait(10)


def wait_until(
    condition: Callable[[], bool], *, timeout_seconds: float, interval_seconds: float = 0.01
) -> bool:
    """Poll until true or out of time; the last answer."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_seconds)
    return True


def write_private_file(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file by one that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)


def _start_time(pid: int) -> str | None:
    if pid <= 0:
        return None
    if not ON_LINUX:
        return _start_time_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command name may itself hold spaces and brackets, so fields are counted after the last one.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else started


def _start_time_by_ps(pid: int) -> str | None:
    result = subprocess.run(  # noqa: S603
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    state, _, started = result.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else started.strip()


@functools.cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if _libc().unshare(_CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {errno.errorcode.get(code, code)}")
    for name, text in (
        ("uid_map", f"{_NAMESPACE_UID} {uid} 1"),
        ("setgroups", "deny"),
        ("gid_map", f"{_NAMESPACE_UID} {gid} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _namespaces_work() -> bool:
    _libc()
    child = os.fork()
    if child == 0:
        try:
            _enter_user_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
