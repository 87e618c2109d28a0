"""Orders that came by a door enter Vyomo's record as what they are to it: orders of the account that were placed elsewhere.

The same merge that reads a real broker's books reads the venue's (architecture §12.8). Sandbox accounts are left out: their broker's own
worker reads them, at the door.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from vyomo_broker_kit.book_learning import Reading
from vyomo_broker_kit.book_merge import BookMerge
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import BookEntry, TradeEntry
from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger
from vyomo_paper_exchange.domain.times import day_start, trading_day
from vyomo_paper_exchange.doors.orders import DoorOrder, Step
from vyomo_paper_exchange.doors.record import DoorRecord, read_book, read_trades
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait

log = structlog.get_logger()

_RETRY_SECONDS: Final = 1.0
_DAYS_BACK: Final = timedelta(days=1)
"""What is placed before midnight may end after it."""

_LINKED: Final = """
SELECT DISTINCT account_id FROM venue.door_orders JOIN venue.accounts USING (account_id)
WHERE placed_at >= $1 AND NOT is_sandbox
"""
_IS_LINKED: Final = "SELECT NOT is_sandbox FROM venue.accounts WHERE account_id = $1"


class DoorReconciler:
    def __init__(self, ledger: Ledger, record: DoorRecord, clock: Clock) -> None:
        self._ledger = ledger
        self._record = record
        self._clock = clock
        self._merge = BookMerge(ledger, clock, broker=Broker.PAPER, limits=ReconcileLimits())
        self._due: dict[int, None] = {}
        self._linked: dict[int, bool] = {}
        self._wake = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """What changed while nobody was there is read at the start; then every change as it comes, without a timer."""
        unlisten = self._record.listen(self._heard)
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(_LINKED, self._since())
        self._look(*(row["account_id"] for row in rows))
        merging = asyncio.create_task(self._run())
        try:
            yield
        finally:
            unlisten()
            await cancel_and_wait(merging)

    async def merge(self, account_id: int) -> None:
        """Bring the record up to what the venue's books show of the account."""
        if not await self._is_linked(account_id):
            return
        began = self._clock.now()
        async with self._ledger.database.connection() as connection:
            orders = await read_book(connection, account_id, self._since())
            fills = await read_trades(connection, account_id, self._since())
        entries = [book_entry(order) for order in orders]
        changed = self._merge.changed(account_id, entries)
        if changed:
            trades = [trade_entry(fill) for fill in fills if fill.order_id.isdigit()]
            reading = Reading(
                account_id=account_id,
                entries=entries,
                trades=trades,
                began=began,
                good_reads=(self._clock.elapsed(),),
            )
            await self._merge.merge(reading, changed)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._due = self._due, {}
            failed: list[int] = []
            for account_id in due:
                try:
                    await self.merge(account_id)
                except UnavailableError as error:
                    log.warning("door.record_unavailable", account_id=account_id, why=str(error))
                    failed.append(account_id)
                except Exception:
                    log.exception("door.not_reconciled", account_id=account_id)
                    failed.append(account_id)
            if failed:
                await asyncio.sleep(_RETRY_SECONDS)
                self._look(*failed)

    async def _is_linked(self, account_id: int) -> bool:
        if account_id not in self._linked:
            async with self._ledger.database.connection() as connection:
                self._linked[account_id] = bool(await connection.fetchval(_IS_LINKED, account_id))
        return self._linked[account_id]

    def _heard(self, order: DoorOrder, step: Step) -> None:
        del step
        self._look(order.filing.account_id)

    def _look(self, *account_ids: int) -> None:
        self._due.update(dict.fromkeys(account_ids))
        if self._due:
            self._wake.set()

    def _since(self) -> datetime:
        return day_start(trading_day(self._clock.now())) - _DAYS_BACK


def book_entry(order: DoorOrder) -> BookEntry:
    working, filing = order
    return BookEntry(
        broker_order_id=filing.order_id,
        tag=filing.tag,
        exchange=working.exchange,
        symbol=working.symbol,
        transaction_type=working.transaction_type,
        order_type=working.order_type,
        product=working.product,
        validity=working.validity,
        state=working.state,
        filled_quantity=working.filled_quantity,
        average_price=working.average_price,
        quantity=working.quantity,
        price=working.price,
        trigger_price=working.trigger_price,
        text=working.reason,
        placed_at=filing.placed_at,
        updated_at=working.updated_at,
    )


def trade_entry(fill: Fill) -> TradeEntry:
    return TradeEntry(
        # The order's id and the number within it make the venue's id again.
        trade_id=fill.trade_id.rpartition("-")[2],
        broker_order_id=fill.order_id,
        symbol=fill.symbol,
        transaction_type=fill.transaction_type,
        quantity=fill.quantity,
        price=fill.price,
        traded_at=fill.filled_at,
    )
