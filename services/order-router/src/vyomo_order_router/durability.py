"""No order goes to a real broker while bus or database could lose what they acknowledged: an order lost here is still worked there."""

import asyncio
from typing import Final

import structlog

from vyomo_order_router.pressure import Pressure
from vyomo_service_kit.database import Database, RecordUnavailableError
from vyomo_service_kit.durability import database_weaknesses, read_bus_server

log = structlog.get_logger()

EVERY_SECONDS: Final = 60.0
UNSEEN: Final = "bus and database have not been looked at yet"
NO_MONITOR: Final = (
    "the bus cannot be looked at (VYOMO_NATS_MONITOR_URL should be the address of its monitoring page)"
)


class DurabilityGauge:
    """Whoever cannot be asked counts as weak."""

    def __init__(self, database: Database, pressure: Pressure, *, nats_monitor_url: str | None) -> None:
        self._database = database
        self._pressure = pressure
        self._nats_monitor_url = nats_monitor_url
        pressure.weaknesses = [UNSEEN]

    async def run_once(self) -> None:
        weaknesses = [*await self._of_database(), *await self._of_bus()]
        if weaknesses != self._pressure.weaknesses:
            if weaknesses:
                log.warning("durability.weak", weaknesses=weaknesses)
            else:
                log.info("durability.proven")
        self._pressure.weaknesses = weaknesses

    async def _of_database(self) -> list[str]:
        try:
            async with self._database.connection() as connection:
                return await database_weaknesses(connection)
        except RecordUnavailableError:
            # No order can be accepted either; what was seen before is still true of a server that comes back unchanged.
            return [
                each for each in self._pressure.weaknesses if each.startswith("PostgreSQL") or each == UNSEEN
            ]

    async def _of_bus(self) -> list[str]:
        if self._nats_monitor_url is None:
            return [NO_MONITOR]
        try:
            return (await asyncio.to_thread(read_bus_server, self._nats_monitor_url)).weaknesses
        except OSError as error:
            return [f"the bus's monitoring page does not answer: {error}"]
