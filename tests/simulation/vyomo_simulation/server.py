"""A database server in memory: sessions, row locks, READ COMMITTED, and a crash model.

What is committed survives everything. What is not is gone when its session ends, whoever ends it: the client, a kill, a crash
of the server, or the limit on idle transactions. A commit may be ambiguous: done or not, and the client is told of neither.
It knows no SQL: `statements.py` says in Python what each statement of the project does.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, cast

from asyncpg.exceptions import LockNotAvailableError

from vyomo_ledger.sequence import PLACE_BITS
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database, RecordUnavailableError

from .loop import Process, current_process

Row = dict[str, Any]
Key = tuple[Any, ...]
Statement = Callable[..., Awaitable[list[Row]]]

LOCK_SECONDS = 2.0
IDLE_SECONDS = 10.0


@dataclass(slots=True)
class ServerFaults:
    """Chances per statement or commit; all zero is a server that never fails."""

    seconds: float = 0.0
    """Mean time of a round trip; 0 answers at once."""
    lost_statement: float = 0.0
    lost_before_commit: float = 0.0
    lost_after_commit: float = 0.0
    struck_writing: float = 0.0
    """The client's process is struck at the worst moments: with its locks held, or committed and not told."""


@dataclass(slots=True)
class Counts:
    commits: int = 0
    ambiguous: int = 0
    locks_not_won: int = 0


class UnknownStatementError(AssertionError):
    """A statement the in-memory record does not know: teach it in `statements.py`, and the contract suite with it."""


class Server:
    def __init__(
        self,
        clock: Clock,
        random: Random,
        statements: Mapping[str, Statement],
        faults: ServerFaults | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.clock = clock
        self._pause = pause
        self.faults = faults or ServerFaults()
        self.counts = Counts()
        self.is_down = False
        self.strike: Callable[[Process], None] | None = None
        """Does something bad to a process, when `struck_writing` says so."""
        self._random = random
        self._statements = statements
        self._sessions: dict[Session, None] = {}
        self._holders: dict[Key, Session] = {}
        self._queues: dict[Key, deque[tuple[Session, asyncio.Future[None]]]] = {}
        self._next_transaction = 1000
        self._open_transactions: set[int] = set()

    # Time and trouble

    async def travel(self, session: "Session") -> None:
        """Over the network and some work, or so fast that nobody gets in between: half of the time each."""
        if self.faults.seconds and self._random.random() < 0.5:
            await self._pause(self._random.expovariate(1 / self.faults.seconds))
        session.check()

    def strikes(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance

    def strike_at(self, session: "Session") -> None:
        if (
            self.strike is not None
            and session.process is not None
            and self.strikes(self.faults.struck_writing)
        ):
            self.strike(session.process)

    def crash(self) -> None:
        """The server is gone until `is_down` is taken back; what was not committed is gone for good."""
        self.is_down = True
        for session in list(self._sessions):
            session.end()

    def end_sessions_of(self, process: Process) -> None:
        for session in list(self._sessions):
            if session.process is process:
                session.end()

    # Sessions

    def open(self) -> "Session":
        if self.is_down:
            raise RecordUnavailableError("connection refused")
        session = Session(self, current_process())
        self._sessions[session] = None
        return session

    def close(self, session: "Session") -> None:
        self._sessions.pop(session, None)

    def statement(self, query: str) -> Statement:
        try:
            return self._statements[query]
        except KeyError:
            raise UnknownStatementError(query) from None

    # Locks

    async def lock(self, session: "Session", key: Key) -> None:
        holder = self._holders.get(key)
        if holder is session:
            return
        if holder is None:
            self._give(session, key)
            return
        won: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(key, deque()).append((session, won))
        session.waits_for = won
        late = asyncio.get_running_loop().call_later(LOCK_SECONDS, self._give_up, won)
        try:
            await won
        finally:
            late.cancel()
        session.check()

    def is_free(self, session: "Session", key: Key) -> bool:
        """Whether the session would get this lock without waiting."""
        return self._holders.get(key) in (None, session)

    def _give_up(self, won: "asyncio.Future[None]") -> None:
        if not won.done():
            self.counts.locks_not_won += 1
            won.set_exception(LockNotAvailableError("canceling statement due to lock timeout"))

    def _give(self, session: "Session", key: Key) -> None:
        self._holders[key] = session
        session.locks.append(key)

    def release(self, session: "Session") -> None:
        for key in session.locks:
            del self._holders[key]
            queue = self._queues.get(key)
            while queue:
                waiter, won = queue.popleft()
                if not won.done() and not waiter.is_over:
                    self._give(waiter, key)
                    won.set_result(None)
                    break
        session.locks.clear()

    # Transaction numbers

    def begin_writing(self) -> int:
        self._next_transaction += 1
        self._open_transactions.add(self._next_transaction)
        return self._next_transaction

    def stop_writing(self, transaction: int) -> None:
        self._open_transactions.discard(transaction)

    @property
    def horizon(self) -> int:
        return min(self._open_transactions, default=self._next_transaction + 1) << PLACE_BITS


class Session:
    """A connection, as far as the project uses one."""

    def __init__(self, server: Server, process: Process | None) -> None:
        self.server = server
        self.process = process
        self.is_over = False
        self.waits_for: asyncio.Future[None] | None = None
        self.locks: list[Key] = []
        self.began_at: datetime | None = None
        self.own: dict[str, Any] = {}
        """What a statement leaves for a later one of the same transaction, which alone sees it before the commit."""
        self._effects: list[Callable[[], object]] = []
        self._transaction: int | None = None
        self._explicit = False

    async def fetch(self, query: str, *values: Any) -> list[Row]:
        self.check()
        await self.server.travel(self)
        if self.server.strikes(self.server.faults.lost_statement):
            self.end()
            self.check()
        if self.began_at is None:
            self.began_at = self.server.clock.now()
        try:
            rows = await self.server.statement(query)(self, *values)
        except BaseException:
            if not self._explicit:
                self._roll_back()
            raise
        if self._effects:
            self.server.strike_at(self)
        if not self._explicit:
            await self._commit()
        return rows

    async def fetchrow(self, query: str, *values: Any) -> Row | None:
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *values: Any) -> Any:
        row = await self.fetchrow(query, *values)
        return None if row is None else next(iter(row.values()))

    async def execute(self, query: str, *values: Any) -> str:
        await self.fetch(query, *values)
        return ""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        self._explicit = True
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        else:
            await self._commit()
        finally:
            self._explicit = False

    # What statements use

    @property
    def now(self) -> datetime:
        """SQL's `now()`: when the transaction began."""
        assert self.began_at is not None
        return self.began_at

    @property
    def sequence(self) -> int:
        if self._transaction is None:
            self._transaction = self.server.begin_writing()
        return self._transaction << PLACE_BITS

    async def lock(self, *keys: Key) -> None:
        for key in keys:
            await self.server.lock(self, key)

    def on_commit(self, effect: Callable[[], object]) -> None:
        """Statements read before they write: nobody, not even this session, sees an effect before the commit."""
        self._effects.append(effect)

    # Ends

    def check(self) -> None:
        if self.is_over:
            raise RecordUnavailableError("connection was closed in the middle of operation")

    def end(self) -> None:
        """The connection is gone, without the client's doing."""
        self._roll_back()
        self.is_over = True
        if self.waits_for is not None and not self.waits_for.done() and self.is_heard:
            self.waits_for.set_exception(RecordUnavailableError("connection was closed"))
        self.server.close(self)

    @property
    def is_heard(self) -> bool:
        return self.process is None or self.process.is_alive

    def close(self) -> None:
        if not self.is_over:
            self.end()

    async def _commit(self) -> None:
        server = self.server
        if not self._effects:
            self._roll_back()
            return
        if server.strikes(server.faults.lost_before_commit):
            server.counts.ambiguous += 1
            self.end()
            self.check()
        for effect in self._effects:
            effect()
        server.counts.commits += 1
        self._roll_back()
        server.strike_at(self)
        if server.strikes(server.faults.lost_after_commit):
            server.counts.ambiguous += 1
            self.end()
        await server.travel(self)

    def _roll_back(self) -> None:
        self._effects.clear()
        self.own.clear()
        self.began_at = None
        if self._transaction is not None:
            self.server.stop_writing(self._transaction)
            self._transaction = None
        self.server.release(self)


class MemoryDatabase(Database):
    """The pool of one process: what the services are given instead of `open_database`'s."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        session = self.server.open()
        try:
            yield cast("Connection", session)
        finally:
            session.close()


def values_of(columns: Sequence[str], arrays: Sequence[Sequence[Any]]) -> list[Row]:
    """The rows of an `unnest` over parallel arrays."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*arrays, strict=True)]
