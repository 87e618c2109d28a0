"""How often, and how soon, something that was proved unsent is tried again.

Kept in memory: forgetting it costs a few tries too many after a restart, never a second order.
"""

from dataclasses import dataclass
from typing import Final

from vyomo_service_kit.clock import Clock

PAUSES_SECONDS: Final = (0.25, 3.0)
"""After the first and the second failure; the third is the last. One connection may fail by itself, two mean that the broker is away."""
FORGOTTEN_AFTER_SECONDS: Final = 120.0


@dataclass(slots=True)
class _Failures:
    account_id: int
    count: int
    again_at: float

    @property
    def is_final(self) -> bool:
        return self.count > len(PAUSES_SECONDS)


class Repeats:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def may_try(self, key: str) -> bool:
        """True unless `key` failed lately or for good."""
        known = self._failures.get(key)
        if known is None:
            return True
        return not known.is_final and self._clock.elapsed() >= known.again_at

    def given_up(self) -> list[str]:
        """What failed for good: it waits for its end and must not stand before others."""
        return [key for key, known in self._failures.items() if known.is_final]

    def failed(self, key: str, account_id: int) -> bool:
        """Note a failure; True if there may be another try."""
        now = self._clock.elapsed()
        self._failures = {
            each: known
            for each, known in self._failures.items()
            if known.again_at > now - FORGOTTEN_AFTER_SECONDS
        }
        count = self._failures[key].count + 1 if key in self._failures else 1
        pause = PAUSES_SECONDS[min(count, len(PAUSES_SECONDS)) - 1]
        failures = self._failures[key] = _Failures(account_id, count, now + pause)
        return not failures.is_final

    def reached(self) -> set[int]:
        """The broker answers somebody, so no pause for its sake is needed any longer; the accounts that waited for one."""
        if not self._failures:
            return set()
        now = self._clock.elapsed()
        waiting = [each for each in self._failures.values() if not each.is_final and each.again_at > now]
        for each in waiting:
            each.again_at = now
        return {each.account_id for each in waiting}
