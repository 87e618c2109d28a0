"""When a broker's books are read: what keeps our orders true to the broker's, finds those of unknown outcome and those placed elsewhere.

Orders are found by the broker's id, else by our tag, never by looks. What the book does not show changes nothing: absence is no
evidence until the broker's settle time has passed. One reading serves all orders of an account.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from vyomo_broker_kit.book_learning import WORKING_SQL, Reading
from vyomo_broker_kit.book_merge import BookMerge
from vyomo_broker_kit.limits import ReconcileLimits, is_read_due
from vyomo_broker_kit.port import BrokerPort, SessionOverError, TradeEntry, UnreadableError
from vyomo_broker_kit.session_watch import session_refused
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

TICK_SECONDS: Final = 0.25
READS_AT_ONCE: Final = 8
TRADES_SECONDS: Final = 2.0
"""Fills wait this long for the trade book; then they are recorded as derived."""
TRADES_AGAIN_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

OPEN_ACCOUNTS: Final = f"""
SELECT account_id, bool_and(l.session_until > clock_timestamp()) IS TRUE AS has_session, bool_or(state NOT IN ('SUBMITTING', 'UNCONFIRMED')) AS works,
       coalesce(bool_or(state = 'SUBMITTING' AND send_deadline < clock_timestamp()), false) AS is_overdue,
       array_agg(extract(epoch FROM clock_timestamp() - least(send_deadline, updated_at))::float8)
           FILTER (WHERE state = 'UNCONFIRMED') AS unknown_for
FROM ledger.broker_orders o JOIN ledger.lanes l USING (account_id)
WHERE o.broker = $1 AND o.state IN ({WORKING_SQL}) AND l.lane = 'CLAIM' GROUP BY account_id
"""
_ALL_ACCOUNTS: Final = """
SELECT account_id FROM ledger.lanes WHERE broker = $1 AND lane = 'CLAIM' AND session_until > clock_timestamp()
"""
"""Without a session there is nothing to read: a dead one must not be asked again and again."""


@dataclass(slots=True)
class _Account:
    """What is remembered of an account's readings; forgetting it costs some readings, nothing else."""

    good_reads: deque[float]
    unknown_since: list[float] = field(default_factory=list[float])
    last_read: float | None = None
    wants_trades: bool = False
    trades_again_at: float | None = None
    trades_tries: int = 0


class BookSync:
    """Reads an account's book once a second while it has working orders, on a schedule of its own while the outcome of orders is
    unknown, now and then otherwise, and at once when `look` is called.

    Accounts are read beside each other, so one that hangs delays itself alone.
    """

    def __init__(
        self,
        ledger: Ledger,
        port: BrokerPort,
        clock: Clock,
        *,
        broker: Broker,
        partitions: int,
        owned: frozenset[int],
        limits: ReconcileLimits | None = None,
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._broker = broker
        self._partitions = partitions
        self._owned = owned
        self._limits = limits or ReconcileLimits()
        self._fill_listeners: list[Callable[[int], None]] = []
        self.on_read: Callable[[int], None] = lambda _: None
        """Called with each account whose book was read and learnt from."""
        self._merge = BookMerge(ledger, clock, broker=broker, limits=self._limits)
        self._accounts: dict[int, _Account] = {}
        self._due: dict[int, None] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._listed_at = self._listed_all_at = float("-inf")
        self._wake = asyncio.Event()

    def on_filled(self, listener: Callable[[int], None]) -> None:
        """`listener` is called with each account that got fills."""
        self._fill_listeners.append(listener)

    def look(self, account_id: int) -> None:
        self._due[account_id] = None
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        ticking = asyncio.create_task(
            repeat(self._tick, every_seconds=TICK_SECONDS, name=f"book.{self._broker}", wake=self._wake)
        )
        try:
            yield
        finally:
            await cancel_and_wait(ticking, *self._reading.values())

    async def _tick(self) -> None:
        now = self._clock.elapsed()
        if now - self._listed_at >= self._limits.working_seconds:
            self._listed_at = now
            await self._list_open()
        if now - self._listed_all_at >= self._limits.idle_seconds:
            self._listed_all_at = now
            await self._list_all()
        for account_id, account in self._accounts.items():
            if self._is_due(account, now):
                self._due[account_id] = None
        self._start_reads(now)

    async def _list_open(self) -> None:
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(OPEN_ACCOUNTS, self._broker)
        now = self._clock.elapsed()
        for account in self._accounts.values():
            account.unknown_since = []
        owned = [row for row in rows if self._owns(row["account_id"])]
        for row in owned:
            if not row["has_session"]:
                continue
            account = self._account(row["account_id"])
            account.unknown_since = [now - age for age in row["unknown_for"] or ()]
            if row["works"]:
                self._due[row["account_id"]] = None
        overdue = [row["account_id"] for row in owned if row["is_overdue"]]
        if overdue:
            await self._merge.silence(overdue)

    async def _list_all(self) -> None:
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(_ALL_ACCOUNTS, self._broker)
        for row in rows:
            if self._owns(row["account_id"]):
                self._due[row["account_id"]] = None

    def _is_due(self, account: _Account, now: float) -> bool:
        if account.trades_again_at is not None and account.trades_again_at <= now:
            return True
        return any(
            is_read_due(
                now - since,
                None if account.last_read is None else account.last_read - since,
                self._limits.settle_seconds,
            )
            for since in account.unknown_since
        )

    def _start_reads(self, now: float) -> None:
        for account_id in [each for each in self._due if each not in self._reading]:
            if len(self._reading) >= READS_AT_ONCE:
                return
            account = self._account(account_id)
            if account.last_read is not None and now - account.last_read < self._limits.read_gap_seconds:
                continue
            del self._due[account_id]
            account.last_read = now
            self._reading[account_id] = asyncio.create_task(self._read(account_id, account))

    async def _read(self, account_id: int, account: _Account) -> None:
        asked_at = self._clock.now()
        try:
            await self._read_and_merge(account_id, account)
        except SessionOverError:
            await session_refused(self._ledger, self._clock, account_id, asked_at=asked_at)
        except (UnreadableError, UnavailableError) as error:
            log.warning("book.unreadable", account_id=account_id, why=str(error))
        except Exception:
            log.exception("book.failed", account_id=account_id)
        finally:
            del self._reading[account_id]
            self._wake.set()

    async def _read_and_merge(self, account_id: int, account: _Account) -> None:
        began, began_elapsed = self._clock.now(), self._clock.elapsed()
        entries = await self._port.order_book(account_id)
        changed = self._merge.changed(account_id, entries)
        looked = account.wants_trades or any(entry.filled_quantity for entry in changed)
        trades = await self._trades(account_id) if looked else None
        good_reads = (*account.good_reads, began_elapsed)
        outcome = await self._merge.merge(
            Reading(
                account_id=account_id, entries=entries, trades=trades, began=began, good_reads=good_reads
            ),
            changed,
        )
        account.good_reads.append(began_elapsed)
        self.on_read(account_id)
        self._plan_trades(account, wanted=outcome.wants_trades, looked=looked)
        if outcome.filled:
            for listener in self._fill_listeners:
                listener(account_id)

    async def _trades(self, account_id: int) -> list[TradeEntry] | None:
        """None when they cannot be had now: fills are derived until they can."""
        try:
            async with asyncio.timeout(TRADES_SECONDS):
                return list(await self._port.trades(account_id))
        except (UnreadableError, TimeoutError) as error:
            log.warning("trades.unreadable", account_id=account_id, why=str(error))
            return None

    def _plan_trades(self, account: _Account, *, wanted: bool, looked: bool) -> None:
        account.wants_trades = wanted
        if not wanted:
            account.trades_again_at, account.trades_tries = None, 0
            return
        # Wanted and not looked for yet: at once. Looked for in vain: later and later, for the book of trades may lag.
        last = len(TRADES_AGAIN_SECONDS) - 1
        pause = TRADES_AGAIN_SECONDS[min(account.trades_tries, last)] if looked else 0.0
        account.trades_tries += looked
        account.trades_again_at = self._clock.elapsed() + pause

    def _owns(self, account_id: int) -> bool:
        return partition_of(account_id, self._partitions) in self._owned

    def _account(self, account_id: int) -> _Account:
        account = self._accounts.get(account_id)
        if account is None:
            account = _Account(deque(maxlen=self._limits.good_reads))
            self._accounts[account_id] = account
        return account
