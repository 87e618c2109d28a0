"""No order goes to a real broker while bus or database could lose what they acknowledged: an order lost here is still worked there."""

import asyncio
from typing import Final

import structlog

from vyomo_order_router.pressure import Pressure
from vyomo_service_kit.database import Database, RecordUnavailableError
from vyomo_service_kit.durability import database_weaknesses, read_bus_server

log = structlog.get_logger()

EVERY_SECONDS: Final = 10.0
UNSEEN_DATABASE: Final = "the database has not been looked at yet"
UNSEEN_BUS: Final = "the bus has not been looked at yet"
NO_MONITOR: Final = (
    "the bus cannot be looked at (VYOMO_NATS_MONITOR_URL should be the address of its monitoring page)"
)


class DurabilityGauge:
    """Who was never seen counts as weak; of one that is away for a while, what was seen last stays true until it is back."""

    def __init__(self, database: Database, pressure: Pressure, *, nats_monitor_url: str | None) -> None:
        self._database = database
        self._pressure = pressure
        self._nats_monitor_url = nats_monitor_url
        self._of_database = [UNSEEN_DATABASE]
        self._of_bus = [NO_MONITOR if nats_monitor_url is None else UNSEEN_BUS]
        self._tell()

    async def run_once(self) -> None:
        before = self._pressure.weaknesses
        try:
            async with self._database.connection() as connection:
                self._of_database = await database_weaknesses(connection)
        except RecordUnavailableError as error:
            log.warning("durability.database_not_seen", why=str(error))
        if self._nats_monitor_url is not None:
            try:
                server = await asyncio.to_thread(read_bus_server, self._nats_monitor_url)
                self._of_bus = server.weaknesses
            except OSError as error:
                log.warning("durability.bus_not_seen", why=str(error))
        self._tell()
        if self._pressure.weaknesses != before:
            log.warning("durability.changed", weaknesses=list(self._pressure.weaknesses))

    def _tell(self) -> None:
        self._pressure.weaknesses = [*self._of_database, *self._of_bus]
