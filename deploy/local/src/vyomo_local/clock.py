"""The doctor's look at the clock: orders carry times of this machine and of exchanges, which steer theirs to milliseconds."""

import ctypes
import os
import time
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vyomo_local.findings import Finding, fail, ok, warn
from vyomo_local.state import StateFolder, project_folder

OFFSET_LIMIT_SECONDS: Final = 0.1
_PROBE_SECONDS: Final = 0.2
_JUMP_SECONDS: Final = 0.05
_ADVICE: Final = "run an NTP client: chrony, or timedatectl set-ntp true"

_STA_UNSYNC: Final = 0x0040
_STA_NANO: Final = 0x2000


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2)."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        # Not looked at; room for what the kernel writes there.
        ("rest", ctypes.c_long * 40),
    )


@dataclass(frozen=True, slots=True)
class Synchronisation:
    """What the kernel was told by whoever steers its clock."""

    synchronised: bool
    offset_seconds: float
    """Still to be slewed."""
    worst_error_seconds: float
    """An upper bound, which grows from one contact with a time server to the next."""


def check_clock(_: StateFolder) -> Iterator[Finding]:
    yield from _steadiness()
    yield from _steering()
    try:
        zoneinfo.ZoneInfo("Asia/Kolkata")
    except zoneinfo.ZoneInfoNotFoundError:
        yield fail("time zone", "Asia/Kolkata is unknown here", "install the tzdata package")


def _steadiness() -> Iterator[Finding]:
    wall, monotonic = time.time(), time.monotonic()
    time.sleep(_PROBE_SECONDS)
    drift = (time.time() - wall) - (time.monotonic() - monotonic)
    if abs(drift) > _JUMP_SECONDS:
        yield fail(
            "clock",
            f"wall time jumped by {drift * 1000:+.0f} ms while we looked",
            "let NTP settle, then try again",
        )
    elif wall < (project_folder() / "uv.lock").stat().st_mtime - 86400:
        yield fail(
            "clock", f"{time.strftime('%Y-%m-%d %H:%M')} lies before this installation", "set the clock (NTP)"
        )
    else:
        yield ok("clock", f"steady against the monotonic clock, zone {'/'.join(time.tzname)}")


def _steering() -> Iterator[Finding]:
    try:
        found = read_synchronisation()
    except (OSError, AttributeError) as error:
        yield warn("clock", f"whether it is synchronised cannot be told: {error}", _ADVICE)
        return
    yield judge(found)


def judge(found: Synchronisation) -> Finding:
    text = (
        f"offset {found.offset_seconds * 1000:+.3f} ms, at most {found.worst_error_seconds * 1000:.0f} ms off"
    )
    if not found.synchronised:
        return warn("clock", "not synchronised: the kernel knows of no time server", _ADVICE)
    if abs(found.offset_seconds) >= OFFSET_LIMIT_SECONDS:
        return warn(
            "clock",
            f"synchronised, but {text}",
            f"wait until less than {OFFSET_LIMIT_SECONDS * 1000:.0f} ms remain; chronyc tracking, timedatectl timesync-status",
        )
    return ok("clock", f"synchronised, {text}")


def read_synchronisation() -> Synchronisation:
    """Ask the kernel; reading needs no privilege.

    Raises:
        OSError: the kernel, or the sandbox around us, does not answer.
        AttributeError: no such call on this system.
    """
    library = ctypes.CDLL(None, use_errno=True)
    timex = _Timex(modes=0)
    if library.adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return decode(status=timex.status, offset=timex.offset, maxerror=timex.maxerror)


def decode(*, status: int, offset: int, maxerror: int) -> Synchronisation:
    unit = 1e-9 if status & _STA_NANO else 1e-6
    return Synchronisation(not status & _STA_UNSYNC, offset * unit, maxerror * 1e-6)
