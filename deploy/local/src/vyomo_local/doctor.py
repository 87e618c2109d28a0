"""`./vyomo doctor`: looks at the machine and at what runs, one line each, with what to do about it."""

import os
import platform
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vyomo_local.clock import check_clock
from vyomo_local.findings import Finding, Level, fail, ok, warn
from vyomo_local.running import check_database, check_programs_or_bus, check_services
from vyomo_local.state import StateFolder
from vyomo_local.system import DEFAULT_HTTP_PORT, DEFAULT_NATS_MONITOR_PORT, DEFAULT_NATS_PORT
from vyomo_service_kit.embedded.ports import is_port_free

_GIBIBYTE = 1024**3
_FSYNC_ROUNDS = 60
_FSYNC_BYTES = 8192
_SLOW_FSYNC_SECONDS = 0.005
_BAD_FSYNC_SECONDS = 0.05
_LABELS = {Level.OK: "OK  ", Level.WARN: "WARN", Level.FAIL: "FAIL"}


def doctor(state: StateFolder) -> int:
    """Exit code 1 when something must be done before orders can be trusted to this machine."""
    worst = Level.OK
    checks: Sequence[Callable[[StateFolder], Iterator[Finding]]] = (
        _python,
        _memory,
        _disk,
        _fsync,
        check_clock,
        _permissions,
        _ports,
        check_programs_or_bus,
        check_database,
        check_services,
    )
    for check in checks:
        for finding in _guarded(check, state):
            worst = max(worst, finding.level)
            advice = f"  -> {finding.advice}" if finding.advice else ""
            sys.stdout.write(f"{_LABELS[finding.level]}  {finding.subject:<12} {finding.text}{advice}\n")
    return 1 if worst is Level.FAIL else 0


def _guarded(check: Callable[[StateFolder], Iterator[Finding]], state: StateFolder) -> Iterator[Finding]:
    """One check that cannot be made must not hide the others."""
    try:
        yield from check(state)
    except OSError as error:
        name = check.__name__.removeprefix("check_").strip("_")
        yield warn(name, f"could not be checked: {error}", "")


def _python(_: StateFolder) -> Iterator[Finding]:
    text = (
        f"Python {platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    )
    if sys.platform != "linux":
        yield fail(
            "system", text, "the supervisor needs Linux; on other systems use Docker: docker compose up"
        )
    elif platform.libc_ver()[0] != "glibc":
        yield warn(
            "system", f"{text}, no glibc", "the embedded PostgreSQL needs glibc; use --postgres URL on musl"
        )
    else:
        yield ok("system", f"{text}, {os.cpu_count()} cores")


def _memory(_: StateFolder) -> Iterator[Finding]:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    text = f"{available / _GIBIBYTE:.1f} GiB available"
    yield ok("memory", text) if available > _GIBIBYTE else warn("memory", text, "Vyomo wants about 1 GiB")


def _disk(state: StateFolder) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(state.root)).free
    text = f"{free / _GIBIBYTE:.1f} GiB free under {state.root}"
    if free < _GIBIBYTE:
        yield fail("disk", text, "free some space, or choose another folder with --state DIR")
    elif free < 10 * _GIBIBYTE:
        yield warn("disk", text, "a million orders take about 1 GiB, the write-ahead log up to 4 GiB")
    else:
        yield ok("disk", text)


def _fsync(state: StateFolder) -> Iterator[Finding]:
    """An order is accepted after two commits: this is the part of it that no code can make faster."""
    folder = _existing(state.root)
    path = folder / f".vyomo-fsync-{os.getpid()}"
    durations: list[float] = []
    try:
        with path.open("wb", buffering=0) as file:
            file.write(bytes(_FSYNC_BYTES))
            os.fsync(file.fileno())
            for _ in range(_FSYNC_ROUNDS):
                started_at = time.perf_counter()
                os.pwrite(file.fileno(), os.urandom(_FSYNC_BYTES), 0)
                os.fsync(file.fileno())
                durations.append(time.perf_counter() - started_at)
    finally:
        path.unlink(missing_ok=True)
    durations.sort()
    middle, worst = durations[len(durations) // 2], durations[-2]
    text = f"{middle * 1000:.2f} ms median, {worst * 1000:.2f} ms at worst for 8 kB"
    if middle > _BAD_FSYNC_SECONDS:
        yield fail("fsync", text, "use a disk with a faster or battery-backed cache")
    elif middle > _SLOW_FSYNC_SECONDS:
        yield warn("fsync", text, f"a lone order waits at least {middle * 2000:.0f} ms")
    else:
        yield ok("fsync", f"{text}: {1 / middle:,.0f} lone commits/s")


def _permissions(state: StateFolder) -> Iterator[Finding]:
    if not state.root.exists():
        yield ok("permissions", "no state folder yet")
        return
    wrong = list(_too_open(state))
    if wrong:
        advice = "chmod -R go-rwx " + str(state.root)
        yield fail("permissions", f"others may read {', '.join(str(path) for path in wrong)}", advice)
    elif state.root.stat().st_uid != os.geteuid():
        yield warn("permissions", f"{state.root} belongs to another user", "run Vyomo as its owner")
    else:
        yield ok("permissions", f"{state.root} and its keys are closed to others")


def _too_open(state: StateFolder) -> Iterator[Path]:
    for path in (
        state.root,
        state.keys,
        state.api_key,
        state.connections,
        *state.nats.glob("*password"),
        *state.keys.glob("*"),
    ):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield path


def _ports(state: StateFolder) -> Iterator[Finding]:
    ours: set[int] = set()
    if state.running_supervisor() is not None:
        ours = {port for port in ((state.read_status() or {}).get("ports") or {}).values() if port}
    for name, port in (
        ("API", DEFAULT_HTTP_PORT),
        ("NATS", DEFAULT_NATS_PORT),
        ("NATS monitor", DEFAULT_NATS_MONITOR_PORT),
    ):
        if port in ours:
            yield ok("port", f"{port} ({name}) is ours")
        elif is_port_free(port):
            yield ok("port", f"{port} ({name}) is free")
        elif port == DEFAULT_HTTP_PORT:
            yield warn(
                "port",
                f"{port} ({name}) is taken",
                "redirect URLs registered at brokers name it; free it or use --port",
            )
        else:
            yield ok("port", f"{port} ({name}) is taken, another will be chosen")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
