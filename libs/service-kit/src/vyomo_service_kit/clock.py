"""The one place that reads a clock. Everything else is handed a `Clock`."""

import time
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

INDIA = ZoneInfo("Asia/Kolkata")
"""For edges only: sessions, trading days, what a person reads. Inside, time is UTC."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware UTC time."""
        ...

    def elapsed(self) -> float:
        """Seconds of an arbitrary epoch that only moves forward and counts suspended time."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.clock_gettime(_BOOT_CLOCK)


# The boot clock counts suspended time: a laptop lid or a frozen machine must age a deadline.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
