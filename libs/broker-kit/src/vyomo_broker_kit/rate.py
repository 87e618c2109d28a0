"""Calls about orders that one account may make in a second, a minute, an hour and a day.

Accepting has limits too, but what was accepted in three seconds may be claimed in one, after a pause or an outage, and changes are counted here alone.
Here the windows slide, all but the day: the broker's clock cuts them where it likes, and every one of them must hold. The lanes of an account are one
worker process's, so its memory is enough; after a restart the first windows may hold more, and the broker's own refusal of it (RATE_LIMITED) says
that nothing was placed.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from vyomo_contracts.capabilities import OrderRate, RateWindow
from vyomo_service_kit.clock import Clock

_SLIDING: Final = (RateWindow.SECOND, RateWindow.MINUTE, RateWindow.HOUR)
_MOST_IDLE_ACCOUNTS: Final = 1_000


@dataclass(slots=True)
class _Calls:
    """Of one account. Each window's calls, oldest first; those of a window that nobody counts are not kept."""

    sent: dict[RateWindow, deque[float]]
    day: datetime
    in_day: int = 0
    last: float = field(default=float("-inf"))


class SendRate:
    def __init__(self, rate: OrderRate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._windows = [window for window in _SLIDING if rate.of(window) is not None]
        self._calls: dict[int, _Calls] = {}

    def take(self, account_id: int, *, is_cancel: bool = False, is_exit: bool = False) -> bool:
        """Whether the account may make a call now; if so, it is counted. The last ones of a second are the cancellations', the last ones of
        the longer windows theirs and the exits'.
        """
        now = self._clock.elapsed()
        day = RateWindow.DAY.start(self._clock.now())
        calls = self._calls.get(account_id)
        if calls is None:
            self._forget_idle(now)
            calls = self._calls[account_id] = _Calls({window: deque() for window in self._windows}, day)
        if calls.day != day:
            calls.day, calls.in_day = day, 0
        for window, sent in calls.sent.items():
            while sent and sent[0] <= now - window.length.total_seconds():
                sent.popleft()
        used = {window: len(sent) for window, sent in calls.sent.items()} | {RateWindow.DAY: calls.in_day}
        for window, count in used.items():
            is_free = is_cancel or (is_exit and window is not RateWindow.SECOND)
            limit = self._rate.of(window) if is_free else self._rate.unreserved(window)
            if limit is not None and count >= limit:
                return False
        for sent in calls.sent.values():
            sent.append(now)
        calls.in_day += 1
        calls.last = now
        return True

    def _forget_idle(self, now: float) -> None:
        """An account that made no call for an hour has only its day to lose, and the day is counted at acceptance as well."""
        if len(self._calls) >= _MOST_IDLE_ACCOUNTS:
            longest = max((window.length.total_seconds() for window in self._windows), default=0.0)
            self._calls = {each: calls for each, calls in self._calls.items() if calls.last > now - longest}
