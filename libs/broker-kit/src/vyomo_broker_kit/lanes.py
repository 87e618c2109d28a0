"""Which accounts have something to do, and one loop that sees to them.

What rings while a round is being served is the next round, so a burst shares its transactions and a lonely order waits for
nothing. Doorbells may be lost: a look into the record twice a second finds what nobody rang for.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from vyomo_contracts.topology import partition_of
from vyomo_service_kit import failpoints
from vyomo_service_kit.database import Database, RecordUnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

LOOK_SECONDS: Final = 0.5
BACK_OFF_SECONDS: Final = 0.5
MOST_ACCOUNTS_A_ROUND: Final = 256

_WAITING: Final = """
SELECT DISTINCT account_id FROM ledger.broker_orders
WHERE broker = $1 AND (state = 'NEW' OR pending_stage = 'PREPARED')
ORDER BY account_id
"""
"""Ordered as the index is, so that it is scanned plainly: see `broker_orders_waiting` in the migration."""


class LaneExecutor(Protocol):
    async def run(self, account_ids: Sequence[int]) -> None:
        """Serve what waits in these accounts' lanes: new orders, oldest first, and changes asked for.

        May leave some for a later round if it rings again for them. An exception leaves all as it was; the round is repeated,
        account by account.
        """
        ...


class Lanes:
    """The bell of one worker process: `ring` from anywhere, rounds are served one at a time."""

    def __init__(
        self,
        database: Database,
        executor: LaneExecutor,
        *,
        broker: str,
        partitions: int,
        owned: frozenset[int],
    ) -> None:
        self._database = database
        self._executor = executor
        self._broker = broker
        self._partitions = partitions
        self._owned = owned
        self._waiting: dict[int, None] = {}
        self._suspects: set[int] = set()
        """Accounts of a round that failed: each is served alone until it succeeds, so the bad one fails alone."""
        self._rung = asyncio.Event()
        self._round: asyncio.Future[None] | None = None

    def ring(self, account_ids: Iterable[int]) -> None:
        for account_id in account_ids:
            if partition_of(account_id, self._partitions) in self._owned:
                self._waiting[account_id] = None
        if self._waiting:
            self._rung.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        serving = asyncio.create_task(self._serve())
        looking = asyncio.create_task(
            repeat(self._look, every_seconds=LOOK_SECONDS, name=f"lanes.{self._broker}.look")
        )
        try:
            yield
        finally:
            await cancel_and_wait(looking, serving)
            if self._round is not None:
                await asyncio.wait(
                    {self._round}
                )  # what it claimed must be on its way before the executor closes

    async def _serve(self) -> None:
        while True:
            await self._rung.wait()
            round_ = self._next_round()
            failpoints.reach("lanes.rung")
            try:
                # Shielded: a round that has begun is finished, also while the process is being stopped.
                self._round = asyncio.ensure_future(self._executor.run(round_))
                await asyncio.shield(self._round)
                self._suspects.difference_update(round_)
            except asyncio.CancelledError:
                raise
            except RecordUnavailableError as error:
                log.warning("lanes.record_unavailable", broker=self._broker, why=str(error))
                await self._again(round_)
            except Exception:
                log.exception("lanes.round_failed", broker=self._broker, accounts=len(round_))
                self._suspects.update(round_)
                if len(round_) > 1:
                    self.ring(round_)
                # One that failed alone is found again by the next look; nobody waits for it.

    def _next_round(self) -> list[int]:
        """Whoever waits longest, with all others that may share its round."""
        first = next(iter(self._waiting))
        if first in self._suspects:
            round_ = [first]
        else:
            round_ = [each for each in self._waiting if each not in self._suspects][:MOST_ACCOUNTS_A_ROUND]
        for account_id in round_:
            del self._waiting[account_id]
        if not self._waiting:
            self._rung.clear()
        return round_

    async def _again(self, account_ids: Sequence[int]) -> None:
        await asyncio.sleep(BACK_OFF_SECONDS)
        self.ring(account_ids)

    async def _look(self) -> None:
        try:
            async with self._database.connection() as connection:
                rows = await connection.fetch(_WAITING, self._broker)
        except RecordUnavailableError as error:
            log.warning("lanes.record_unavailable", broker=self._broker, why=str(error))
            return
        self.ring(row["account_id"] for row in rows)
