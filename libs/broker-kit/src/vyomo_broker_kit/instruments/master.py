"""When a broker's list is loaded: at the worker's start if today's is missing, and each morning once the brokers have renewed it.

Nothing waits for it. While the broker gives none, the list of the day before stays in use, and the worker serves on.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, time, timedelta
from typing import IO, Final

import structlog

from vyomo_broker_kit.instruments.downloading import NoMasterError, downloaded
from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_broker_kit.instruments.merging import RefusedMasterError, known, merge, tell_problem
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import INDIA, Clock
from vyomo_service_kit.database import Database
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

Parser = Callable[[IO[bytes]], Iterator[Listed | None]]
"""Reads a master row by row; None is a row that could not be understood. Raises `BadRowError` if the document is none."""

MasterSource = Callable[[], Awaitable[tuple[str, Mapping[str, str]]]]
"""Where the list is to be had now, and what to say with the asking."""

RENEWED_AT: Final = time(8, 30)
"""Kite and Angel One renew their lists in the morning, before the market opens."""
_LOOK_SECONDS: Final = 30.0
_WAITS: Final = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=5))
"""Between tries that fail."""


def is_due(loaded: datetime | None, now: datetime) -> bool:
    """Whether the list loaded then is older than the last renewal."""
    if loaded is None:
        return True
    here = now.astimezone(INDIA)
    renewal = here.replace(hour=RENEWED_AT.hour, minute=RENEWED_AT.minute, second=0, microsecond=0)
    if here < renewal:
        renewal -= timedelta(days=1)
    return loaded < renewal


class InstrumentMaster:
    """`merging` opens connections that may work longer than those which orders go through."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        broker: Broker,
        source: MasterSource,
        parser: Parser,
        merging: Callable[[], AbstractAsyncContextManager[Database]],
    ) -> None:
        self._database = database
        self._merging = merging
        self._clock = clock
        self._broker = broker
        self._source = source
        self._parser = parser
        self._failures = 0
        self._not_before: datetime | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        looking = asyncio.create_task(
            repeat(self.run_once, every_seconds=_LOOK_SECONDS, name=f"instruments.{self._broker}")
        )
        try:
            yield
        finally:
            await cancel_and_wait(looking)

    async def run_once(self) -> None:
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return
        found = await known(self._database, self._broker)
        if not found.is_wanted or not is_due(found.loaded_at, now):
            return
        try:
            url, headers = await self._source()
            async with downloaded(url, headers) as file, self._merging() as database:
                loaded = await merge(database, self._broker, self._parser(file), now)
        except (NoMasterError, RefusedMasterError, BadRowError) as error:
            wait = _WAITS[min(self._failures, len(_WAITS) - 1)]
            self._failures += 1
            self._not_before = now + wait
            log.warning(
                "instruments.not_loaded", broker=self._broker, why=str(error), again=wait.total_seconds()
            )
            await tell_problem(self._database, self._broker, str(error), now)
            return
        self._failures, self._not_before = 0, None
        log.info("instruments.loaded", broker=self._broker, listed=loaded.listed, skipped=loaded.skipped)
