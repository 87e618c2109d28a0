"""Putting a broker's list in the place of the one before it: one transaction, whatever the list's length, in a bounded memory."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from vyomo_broker_kit.instruments.listed import Listed
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import INDIA
from vyomo_service_kit.database import Database

_COLUMNS: Final = (
    "exchange",
    "symbol",
    "trading_symbol",
    "token",
    "name",
    "kind",
    "expiry",
    "strike",
    "option_type",
    "lot_size",
    "tick_size",
    "multiplier",
)
_LIST: Final = ", ".join(_COLUMNS)
SMALLEST_SHARE: Final = 0.7
"""Of the list before it. On an expiry day some ten percent of all contracts go; a list of much less is broken."""
SMALLEST_JUDGED: Final = 20
"""Instruments of one kind on one exchange that are judged by themselves: of fewer, some may go on any day."""
_ROWS_AT_ONCE: Final = 250
"""They are read beside the loop, which orders go through."""

_STAGE: Final = (
    f"CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT {_LIST} FROM market.listings WITH NO DATA"
)
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('market.masters'), hashtext($1))"
_WANTED: Final = """
SELECT EXISTS (
    SELECT FROM accounts.broker_accounts WHERE broker = $1 AND is_active AND environment = 'live'
) AS is_wanted, (SELECT loaded_at FROM market.masters WHERE broker = $1) AS loaded_at
"""
_BEFORE: Final = "SELECT listed FROM market.masters WHERE broker = $1"
# A list that names an instrument twice is read as it stands: the last one counts.
_NEW: Final = "SELECT count(DISTINCT (exchange, symbol)) FROM pg_temp.staged"
# A list can be long and yet lack a whole exchange. Contracts that have expired since are not missed.
_SHRUNKEN: Final = """
SELECT before.exchange, before.kind, coalesce(staged.listed, 0) AS listed, before.listed AS before
FROM (
    SELECT exchange, kind, count(*) AS listed FROM market.listings JOIN market.masters m USING (broker)
    WHERE broker = $1 AND m.loaded_at IS NOT NULL AND (expiry IS NULL OR expiry >= $2) GROUP BY exchange, kind
) before
LEFT JOIN (
    SELECT exchange, kind, count(DISTINCT symbol) AS listed FROM pg_temp.staged GROUP BY exchange, kind
) staged USING (exchange, kind)
WHERE before.listed >= $3 AND coalesce(staged.listed, 0) < before.listed * $4::float8
ORDER BY before.listed DESC LIMIT 1
"""
_MERGE: Final = f"""
INSERT INTO market.listings AS l (broker, {_LIST})
SELECT DISTINCT ON (exchange, symbol) $1, {_LIST} FROM pg_temp.staged ORDER BY exchange, symbol, ctid DESC
ON CONFLICT (broker, exchange, symbol) DO UPDATE SET {", ".join(f"{each} = excluded.{each}" for each in _COLUMNS[2:])}
WHERE ({", ".join(f"l.{each}" for each in _COLUMNS[2:])}) IS DISTINCT FROM ({", ".join(f"excluded.{each}" for each in _COLUMNS[2:])})
"""
_FORGET: Final = """
DELETE FROM market.listings l
WHERE l.broker = $1 AND NOT EXISTS (SELECT FROM pg_temp.staged s WHERE s.exchange = l.exchange AND s.symbol = l.symbol)
"""
_TELL: Final = """
INSERT INTO market.masters (broker, loaded_at, listed, skipped, looked_at) VALUES ($1, $2, $3, $4, $2)
ON CONFLICT (broker) DO UPDATE SET loaded_at = $2, listed = $3, skipped = $4, looked_at = $2, problem = NULL
"""
_TELL_PROBLEM: Final = """
INSERT INTO market.masters (broker, problem, looked_at) VALUES ($1, $2, $3)
ON CONFLICT (broker) DO UPDATE SET problem = $2, looked_at = $3
"""


class RefusedMasterError(Exception):
    """A list that cannot be whole; the one before it stays in use."""


@dataclass(frozen=True, slots=True)
class Loaded:
    listed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is to be considered before a list is loaded."""

    is_wanted: bool
    """The broker has live accounts here; others trade the built-in market."""
    loaded_at: datetime | None


async def known(database: Database, broker: Broker) -> Known:
    async with database.connection() as connection:
        row = await connection.fetchrow(_WANTED, broker)
    assert row is not None
    return Known(row["is_wanted"], row["loaded_at"])


async def tell_problem(database: Database, broker: Broker, problem: str, at: datetime) -> None:
    async with database.connection() as connection:
        await connection.execute(_TELL_PROBLEM, broker, problem, at)


async def merge(database: Database, broker: Broker, rows: Iterator[Listed | None], at: datetime) -> Loaded:
    """`rows` are read once; None stands for one that could not be understood.

    Raises:
        RefusedMasterError: too few rows, in all or of one kind on one exchange, or too many that are bad.
    """
    skipped = 0

    async def records() -> AsyncGenerator[tuple[Any, ...]]:
        nonlocal skipped
        while some := await asyncio.to_thread(lambda: list(islice(rows, _ROWS_AT_ONCE))):
            for row in some:
                if row is None:
                    skipped += 1
                else:
                    yield tuple(getattr(row, name) for name in _COLUMNS)

    async with database.transaction() as connection:
        await connection.execute(_LOCK, broker)
        await connection.execute(_STAGE)
        await connection.copy_records_to_table(
            "staged", records=records(), columns=_COLUMNS, schema_name="pg_temp"
        )
        listed: int = await connection.fetchval(_NEW) or 0
        before: int = await connection.fetchval(_BEFORE, broker) or 0
        if listed < max(1, before * SMALLEST_SHARE):
            raise RefusedMasterError(f"{listed} instruments, {before} before it")
        lost = await connection.fetchrow(
            _SHRUNKEN, broker, at.astimezone(INDIA).date(), SMALLEST_JUDGED, SMALLEST_SHARE
        )
        if lost is not None:
            raise RefusedMasterError(
                f"{lost['exchange']} {lost['kind']}: {lost['listed']} instruments, {lost['before']} before it"
            )
        if skipped > listed:
            raise RefusedMasterError(f"{skipped} of {listed + skipped} rows could not be understood")
        await connection.execute("ANALYZE pg_temp.staged")
        await connection.execute(_MERGE, broker)
        await connection.execute(_FORGET, broker)
        await connection.execute(_TELL, broker, at, listed, skipped)
    return Loaded(listed, skipped)
