"""The record's own time, kept by this machine's boot clock between looks at it.

Deadlines are set and judged by several processes, on machines whose clocks nobody compares. So none of them asks its own wall clock: the
record's decides, and how much of it has passed since the last look is told by a clock that only moves forward.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database, RecordUnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

LOOK_SECONDS: Final = 1.0
_NOW: Final = "SELECT clock_timestamp()"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RecordClock:
    """A `Clock` whose `now` is the record's. Before the first look it is the machine's own.

    A look only says that the record's clock showed `recorded` some time between asking and the answer. What two looks allow together is
    kept, so the error is half of the quickest round trip; a look that contradicts the others means that a clock was moved, and begins anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset: tuple[float, float] | None = None
        """Least and most that the record's time, in seconds, may be ahead of the boot clock."""

    def now(self) -> datetime:
        if self._offset is None:
            return self._clock.now()
        least, most = self._offset
        return _EPOCH + timedelta(seconds=self._clock.elapsed() + (least + most) / 2)

    def elapsed(self) -> float:
        return self._clock.elapsed()

    def observe(self, asked: float, recorded: datetime, answered: float) -> None:
        """The record's clock showed `recorded` between two moments of `elapsed`."""
        at = (recorded - _EPOCH).total_seconds()
        least, most = at - answered, at - asked
        if self._offset is not None:
            together = max(least, self._offset[0]), min(most, self._offset[1])
            if together[0] <= together[1]:
                least, most = together
        self._offset = least, most

    async def look(self, database: Database) -> None:
        """Ask the record once; nothing changes while it is away."""
        try:
            async with database.connection() as connection:
                asked = self._clock.elapsed()
                recorded: datetime | None = await connection.fetchval(_NOW)
                assert recorded is not None
                self.observe(asked, recorded, self._clock.elapsed())
        except RecordUnavailableError as error:
            log.warning("clock.record_unavailable", why=str(error))

    @asynccontextmanager
    async def following(self, database: Database) -> AsyncGenerator[None]:
        """Look now and once a second."""
        await self.look(database)
        looking = asyncio.create_task(
            repeat(lambda: self.look(database), every_seconds=LOOK_SECONDS, name="clock.look")
        )
        try:
            yield
        finally:
            await cancel_and_wait(looking)
