"""Whether this process was away lately: stopped, swapped out, or the whole machine asleep.

A commit that takes long is no reason to leave an order alone; a process that did not run meanwhile is, for what it knows is old. The two look
the same to who waits for an answer, so a tick tells them apart: only one of them is missed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from vyomo_service_kit.clock import Clock
from vyomo_service_kit.runtime import cancel_and_wait

TICK_SECONDS: Final = 0.1
_REMEMBERED: Final = 16


class Wakefulness:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ticked_at = clock.elapsed()
        self._gaps: deque[tuple[float, float]] = deque(maxlen=_REMEMBERED)
        """When an absence ended, and how long it was."""

    def moment(self) -> float:
        """The present, as `elapsed` tells it. Any absence so far was before it, though no tick may have noticed it yet."""
        now = self._clock.elapsed()
        if now - self._ticked_at >= 2 * TICK_SECONDS:
            self._gaps.append((now, now - self._ticked_at))
        self._ticked_at = now
        return now

    def was_away(self, since: float, seconds: float) -> bool:
        """Whether this process did not run for `seconds` at a stretch after `since`, a `moment`."""
        if self._clock.elapsed() - self._ticked_at >= seconds:
            return True
        return any(ended > since and length >= seconds for ended, length in self._gaps)

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            await cancel_and_wait(ticking)

    async def _tick(self) -> None:
        self._ticked_at = self._clock.elapsed()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.moment()
