"""How often a client may call. Counted in memory: a broker forgets after a restart, too."""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from vyomo_service_kit.clock import Clock

_KEYS_REMEMBERED: Final = 10_000


class Limit(NamedTuple):
    calls: int
    seconds: float


class CallLimits:
    """Buckets by name, each with limits that all must hold. A call that is refused does not count."""

    def __init__(self, clock: Clock, buckets: Mapping[str, Sequence[Limit]]) -> None:
        self._clock = clock
        self._buckets = buckets
        self._calls: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def admit(self, bucket: str, key: str) -> bool:
        """Whether `key` may make one more call of this bucket now; if so, it is counted."""
        limits = self._buckets[bucket]
        calls = self._calls.setdefault((bucket, key), deque(maxlen=max(limit.calls for limit in limits)))
        self._calls.move_to_end((bucket, key))
        while len(self._calls) > _KEYS_REMEMBERED:
            self._calls.popitem(last=False)
        now = self._clock.elapsed()
        for calls_max, seconds in limits:
            # The call that many calls ago must be older than the window.
            if len(calls) >= calls_max and now - calls[-calls_max] < seconds:
                return False
        calls.append(now)
        return True
