"""The read side: SQLAlchemy statements, compiled once, run on the asyncpg pool in the name of one user.

Every read happens in a transaction whose `vyomo.user_id` is the caller's, so row-level security holds underneath, whatever a
statement forgets.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from vyomo_gateway.edge.problems import AccountNotFoundError
from vyomo_gateway.identity.callers import Caller
from vyomo_service_kit.database import Connection, Database, RecordUnavailableError, Row

READ_SECONDS: Final = 2.8
"""Longest a read may take altogether; the caller is told 503 then."""

_BIND: Final = "SELECT set_config('vyomo.user_id', $1, true)"
_OWNS: Final = "SELECT true FROM accounts.broker_accounts WHERE id = $1 AND user_id = $2"


class Statement:
    """A query as SQL text and the order of its parameters."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        compiled = statement.compile(dialect=dialect())
        self.sql = str(compiled)
        self._defaults = dict(compiled.params)
        self._names = tuple(compiled.positiontup or ())

    def arguments(self, values: dict[str, object]) -> list[object]:
        return [values[name] if name in values else self._defaults[name] for name in self._names]


class Reader:
    """One caller's view of the record, for the length of one transaction."""

    def __init__(self, connection: Connection, caller: Caller) -> None:
        self._connection = connection
        self._caller = caller

    async def rows(self, statement: Statement, **values: object) -> list[Row]:
        return await self._connection.fetch(statement.sql, *statement.arguments(values))

    async def row(self, statement: Statement, **values: object) -> Row | None:
        return await self._connection.fetchrow(statement.sql, *statement.arguments(values))

    async def require_account(self, account_id: int) -> None:
        """Raises:
        AccountNotFoundError: no such account, or another user's.
        """
        if await self._connection.fetchval(_OWNS, account_id, self._caller.user_id) is None:
            raise AccountNotFoundError(account_id)


class Records:
    """Opens readers.

    Raises, from `read`:
        RecordUnavailableError: the database cannot be reached or does not answer in time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def read(self, caller: Caller) -> AsyncGenerator[Reader]:
        try:
            async with (
                asyncio.timeout(READ_SECONDS),
                self._database.connection() as connection,
                connection.transaction(readonly=True),
            ):
                await connection.execute(_BIND, caller.user_id)
                yield Reader(connection, caller)
        except TimeoutError as error:
            raise RecordUnavailableError("the read took too long") from error

    async def is_available(self) -> bool:
        try:
            async with asyncio.timeout(1), self._database.connection() as connection:
                return await connection.fetchval("SELECT true") is True
        except (TimeoutError, RecordUnavailableError):
            return False
