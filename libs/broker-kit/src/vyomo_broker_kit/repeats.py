"""How often, and how soon, something that was proved unsent is tried again.

Kept in memory: forgetting it costs a few tries too many after a restart, never a second order.
"""

from dataclasses import dataclass
from typing import Final

from vyomo_service_kit.clock import Clock

PAUSES_SECONDS: Final = (1.0, 3.0)
"""After the first and the second failure; the third is the last."""
FORGOTTEN_AFTER_SECONDS: Final = 120.0


@dataclass(slots=True)
class _Failures:
    count: int
    again_at: float


class Repeats:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, _Failures] = {}

    def may_try(self, key: str) -> bool:
        """True unless `key` failed lately or for good."""
        known = self._failures.get(key)
        if known is None:
            return True
        return known.count <= len(PAUSES_SECONDS) and self._clock.elapsed() >= known.again_at

    def given_up(self) -> list[str]:
        """What failed for good: it waits for its end and must not stand before others."""
        return [key for key, known in self._failures.items() if known.count > len(PAUSES_SECONDS)]

    def failed(self, key: str) -> bool:
        """Note a failure; True if there may be another try."""
        now = self._clock.elapsed()
        self._failures = {
            each: known
            for each, known in self._failures.items()
            if known.again_at > now - FORGOTTEN_AFTER_SECONDS
        }
        count = self._failures[key].count + 1 if key in self._failures else 1
        pause = PAUSES_SECONDS[min(count, len(PAUSES_SECONDS)) - 1]
        self._failures[key] = _Failures(count, now + pause)
        return count <= len(PAUSES_SECONDS)
