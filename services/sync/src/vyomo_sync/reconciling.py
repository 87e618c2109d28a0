"""Heals what events did not bring: the stream may be wiped, and an event that was stored once is never sent again."""

from collections.abc import Awaitable, Callable

import structlog

from vyomo_service_kit.database import Database
from vyomo_sync.adapters.lagging import lagging_positions
from vyomo_sync.mirroring import Mirroring

PATIENCE_LOOKS = 6
"""How often in a row differences are left to events that still wait."""

log = structlog.get_logger()


class Reconciling:
    """`do_events_wait` tells whether the bus holds events that this service has not handled yet."""

    def __init__(
        self, database: Database, mirroring: Mirroring, do_events_wait: Callable[[], Awaitable[bool]]
    ) -> None:
        self._database = database
        self._mirroring = mirroring
        self._do_events_wait = do_events_wait
        self._looks = 0

    async def run_once(self) -> None:
        """Carry positions into the trades of the sessions that lag behind the record. One query when nobody lags."""
        async with self._database.connection() as connection:
            positions = await lagging_positions(connection)
        if not positions:
            self._looks = 0
            return
        # Events tell every step, the record only the last: round trips in a backlog would be lost by overtaking it. Yet a bus
        # that is never idle must not keep a stop loss blind.
        if self._looks < PATIENCE_LOOKS and await self._do_events_wait():
            self._looks += 1
            return
        self._looks = 0
        await self._mirroring.positions_changed(positions)
        log.info("sync.reconciled", positions=len(positions))
