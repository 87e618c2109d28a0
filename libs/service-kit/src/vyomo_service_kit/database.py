"""The edge to PostgreSQL: one asyncpg pool per process, bound to the service's own role.

Hot writes are single prepared statements over arrays; everything else may use SQLAlchemy on the same tables.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg
import structlog
from asyncpg import exceptions as postgres
from asyncpg.pool import PoolConnectionProxy
from asyncpg.protocol import protocol as asyncpg_protocol

from vyomo_service_kit.errors import UnavailableError

Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
Row: TypeAlias = asyncpg.Record

log = structlog.get_logger()

_AGAIN_SECONDS: Final = 0.25

UNAVAILABLE = (
    OSError,
    TimeoutError,
    postgres.PostgresConnectionError,
    postgres.CannotConnectNowError,
    postgres.AdminShutdownError,
    postgres.CrashShutdownError,
    postgres.DiskFullError,
    postgres.ReadOnlySQLTransactionError,
    postgres.QueryCanceledError,
    postgres.TooManyConnectionsError,
    postgres.InterfaceError,
    postgres.InternalClientError,  # the server's last word reached an idle connection, which is used before its end does
)
"""What asyncpg raises while the server is down, starting, stopping, full, too slow, or no longer the primary."""


BUSY = (postgres.LockNotAvailableError, postgres.DeadlockDetectedError)
"""Somebody held a row for too long, or each other up: the statement did nothing and may be repeated."""


class RecordUnavailableError(UnavailableError):
    """PostgreSQL cannot be reached or refuses to write; nothing was half-done, the caller may repeat."""


class _SessionlessConnection(asyncpg.Connection):
    """Nothing here keeps state in a session (no session locks, no LISTEN, no SET), so giving a connection back needs no clean-up."""

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool of connections that act as `role`."""

    def __init__(self, pool: asyncpg.Pool, acquire_seconds: float) -> None:
        self.pool = pool
        self._acquire_seconds = acquire_seconds

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """A connection; trouble reaching the server is raised as `RecordUnavailableError`."""
        try:
            async with self.pool.acquire(timeout=self._acquire_seconds) as connection:
                yield connection
        except UNAVAILABLE as error:
            raise RecordUnavailableError(str(error) or type(error).__name__) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        async with self.connection() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def open_database(
    url: str,
    *,
    role: str,
    application: str,
    max_size: int = 4,
    acquire_seconds: float = 2.0,
    statement_seconds: float = 5.0,
    lock_seconds: float = 2.0,
    patience_seconds: float = 10.0,
) -> AsyncGenerator[Database]:
    """Connect as the URL's user, then act as `role` (the user must be a member of it).

    A server that cannot be reached is tried again for `patience_seconds`: a service that ended instead would pay its whole start anew.
    """
    _encode_lists_fast()
    pool = await _connected(
        patience_seconds,
        dsn=url,
        min_size=1,
        max_size=max_size,
        connection_class=_SessionlessConnection,
        timeout=acquire_seconds,
        command_timeout=statement_seconds + 1,
        max_inactive_connection_lifetime=0,
        server_settings={
            "role": role,
            "application_name": application,
            "timezone": "UTC",
            "search_path": "",
            "statement_timeout": f"{int(statement_seconds * 1000)}",
            "lock_timeout": f"{int(lock_seconds * 1000)}",
            "idle_in_transaction_session_timeout": "10000",
            # Prepared statements over arrays have one good plan; five custom plannings of it are wasted.
            "plan_cache_mode": "force_generic_plan",
        },
    )
    try:
        yield Database(pool, acquire_seconds)
    finally:
        await pool.close()


async def _connected(patience_seconds: float, **settings: Any) -> asyncpg.Pool:
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + patience_seconds
    while True:
        try:
            return await asyncpg.create_pool(**settings)
        except UNAVAILABLE as error:
            if clock() >= give_up_at:
                raise
            log.warning("database.not_reached", why=str(error) or type(error).__name__)
        await asyncio.sleep(_AGAIN_SECONDS)


def _encode_lists_fast() -> None:
    """Let asyncpg tell an array argument by its concrete type.

    It asks for each element of an array whether that is a collection itself, against abstract base classes, which run Python code:
    two thirds of the time of sending a batch. Our arrays are lists and have no other dimensions. `test_database.py` notices when
    asyncpg no longer looks here.
    """
    for name in ("SizedABC", "IterableABC"):
        if hasattr(asyncpg_protocol, name):
            setattr(asyncpg_protocol, name, (list, tuple))
