"""Calls about orders that one account may make in a second.

Accepting has a limit too, but what was accepted in three seconds may be claimed in one, after a pause or an outage. Here the second slides: the
broker's clock cuts seconds where it likes, and every one of them must hold. The lanes of an account are one worker process's, so its memory is enough;
after a restart the first second may hold more, and the broker's own refusal of it (RATE_LIMITED) says that nothing was placed.
"""

from collections import deque
from typing import Final

from vyomo_contracts.capabilities import OrderRate
from vyomo_service_kit.clock import Clock

_SECOND: Final = 1.0
_MOST_IDLE_ACCOUNTS: Final = 1_000


class SendRate:
    def __init__(self, rate: OrderRate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._sent: dict[int, deque[float]] = {}

    def take(self, account_id: int, *, is_cancel: bool = False) -> bool:
        """Whether the account may make a call now; if so, it is counted. The last ones of a second are the cancellations'."""
        now = self._clock.elapsed()
        sent = self._sent.get(account_id)
        if sent is None:
            self._forget_idle(now)
            sent = self._sent[account_id] = deque()
        while sent and sent[0] <= now - _SECOND:
            sent.popleft()
        reserved = 0 if is_cancel else self._rate.reserved_for_cancels
        if len(sent) >= max(self._rate.per_second - reserved, 1):
            return False
        sent.append(now)
        return True

    def _forget_idle(self, now: float) -> None:
        if len(self._sent) >= _MOST_IDLE_ACCOUNTS:
            self._sent = {
                each: sent for each, sent in self._sent.items() if sent and sent[-1] > now - _SECOND
            }
