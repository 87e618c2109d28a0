"""What happens once a day: accounts begin their day, then the catalogue of that day replaces yesterday's."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from vyomo_paper_exchange.adapters.catalogue import Listings, write_catalogue
from vyomo_paper_exchange.domain.catalogue.built_in import built_in_catalogue
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.times import day_end, trading_day
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database

log = structlog.get_logger()

_RETRY_SECONDS: Final = 5.0
_LONGEST_SLEEP_SECONDS: Final = 600.0
"""A machine may sleep over midnight; the clock is looked at again after this long."""


class DayChange:
    def __init__(
        self,
        database: Database,
        executor: PaperExecutor,
        listings: Listings,
        market: SeededMarket,
        clock: Clock,
    ) -> None:
        self._database = database
        self._executor = executor
        self._listings = listings
        self._market = market
        self._clock = clock

    async def begin_day(self) -> None:
        """Idempotent: settle and carry what is of an earlier day, then list today's instruments."""
        now = self._clock.now()
        today = trading_day(now)
        # First the accounts: an expired contract's row is needed to settle it.
        await self._executor.roll_days()
        async with self._database.transaction() as connection:
            written = await write_catalogue(connection, built_in_catalogue(today), today, now)
        self._listings.forget()
        self._market.forget()
        log.info("catalogue.written", instruments=written, day=today.isoformat())

    async def watch(self) -> None:
        """Begin each IST day as it comes."""
        begun = trading_day(self._clock.now())
        while True:
            now = self._clock.now()
            until_midnight = (day_end(begun) - now) / timedelta(seconds=1)
            if until_midnight > 0:
                await asyncio.sleep(min(until_midnight, _LONGEST_SLEEP_SECONDS))
                continue
            try:
                await self.begin_day()
                begun = trading_day(now)
            except Exception:
                log.exception("day.change_failed")
                await asyncio.sleep(_RETRY_SECONDS)
