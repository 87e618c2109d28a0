"""Secrets of the run, looked for afterwards where no secret may be: logs, everything the bus stored, every row of the record."""

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import asyncpg

_TABLES: Final = """
SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""


async def found(
    connection: asyncpg.Connection, folder: Path, canaries: Mapping[str, str]
) -> tuple[int, list[str]]:
    """How many places were searched, and what was found where; `canaries` are secrets by what they are."""
    searched = 0
    leaks: list[str] = []
    for path in _files(folder):
        searched += 1
        leaks += [f"{what} in {path.relative_to(folder)}" for what in _in_file(path, canaries)]
    for row in await connection.fetch(_TABLES):
        searched += 1
        for what, secret in canaries.items():
            # Each row as text, as a dump would show it.
            query = f"SELECT count(*) FROM {row['name']} AS t WHERE strpos(t::text, $1) > 0"
            if await connection.fetchval(query, secret):
                leaks.append(f"{what} in table {row['name']}")
    return searched, leaks


def _files(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*.log")
    for store in folder.rglob("jetstream"):
        yield from (path for path in store.rglob("*") if path.is_file())


def _in_file(path: Path, canaries: Mapping[str, str]) -> list[str]:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return []
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return [what for what, secret in canaries.items() if content.find(secret.encode()) >= 0]
