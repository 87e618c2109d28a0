"""Alembic histories, one per owner of tables, brought to head in one place.

A distribution that owns tables declares

    [project.entry-points."vyomo.migrations"]
    ledger = "vyomo_ledger.migrations:HISTORY"

and keeps its revisions in `<package>/versions/*.py`. It needs no `env.py`: this module is the environment of all.
Each history has its own version table `migrations.alembic_version_<name>`, so owners migrate independently.

    python -m vyomo_service_kit.migrations --postgres URL

MigrationError
├── DatabaseUnreachableError   no connection, wrong password, or not a URL of PostgreSQL
├── DuplicateHistoryError      two distributions use one name
└── UnknownRevisionError       the database was written by newer code
"""

import argparse
import asyncio
import contextlib
import hashlib
import importlib.metadata
import importlib.resources
import os
import sys
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

if TYPE_CHECKING:
    from sqlalchemy import Connection

ENTRY_POINT_GROUP: Final = "vyomo.migrations"
VERSION_SCHEMA: Final = "migrations"
GROUP_ROLES: Final = ("vyomo_gateway", "vyomo_router", "vyomo_worker", "vyomo_sync")

# "vyomo" in ASCII; any constant would do, as long as every runner uses the same.
_LOCK_KEY: Final = 0x76796F6D6F
_RUNNER_WAIT_SECONDS: Final = 120
_TABLE_LOCK_WAIT_SECONDS: Final = 10


class MigrationError(Exception):
    """Base of what this module raises on purpose."""


class DatabaseUnreachableError(MigrationError):
    def __init__(self, reason: BaseException) -> None:
        super().__init__(f"cannot connect to PostgreSQL: {str(reason) or type(reason).__name__}")


class DuplicateHistoryError(MigrationError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"two migration histories are called {name!r}")


class UnknownRevisionError(MigrationError):
    def __init__(self, history: str, revision: str) -> None:
        self.history = history
        self.revision = revision
        super().__init__(
            f"the database is at revision {revision!r} of {history!r}, which this code does not know; "
            f"it was migrated by a newer version of Vyomo"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationHistory:
    """The migrations of one owner. Histories run in ascending `order`, ties by name."""

    name: str
    package: str
    """Package with a `versions` folder of Alembic revisions."""
    order: int

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.name}"

    @property
    def folder(self) -> Path:
        return Path(str(importlib.resources.files(self.package)))

    def fingerprint(self) -> str:
        """Changes whenever a revision is added or edited; lets an unchanged database skip Alembic."""
        digest = hashlib.sha256()
        for path in sorted((self.folder / "versions").glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class AppliedRevision:
    history: str
    revision: str
    message: str


def discover_histories() -> list[MigrationHistory]:
    """All histories of the installed distributions, in the order they run."""
    found: dict[str, MigrationHistory] = {}
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        history: object = entry_point.load()
        if not isinstance(history, MigrationHistory):
            raise MigrationError(f"entry point {entry_point.value!r} is not a MigrationHistory")
        if found.setdefault(history.name, history) != history:
            raise DuplicateHistoryError(history.name)
    return _in_order(found.values())


def migrate(url: str, histories: Iterable[MigrationHistory] | None = None) -> list[AppliedRevision]:
    """Bring the database to head and return what was applied; two runners cannot collide. Blocks."""
    return asyncio.run(migrate_async(url, histories))


async def migrate_async(
    url: str, histories: Iterable[MigrationHistory] | None = None
) -> list[AppliedRevision]:
    """`migrate` for callers that already run an event loop."""
    chosen = discover_histories() if histories is None else _in_order(histories)
    async with _exclusive(url) as guard:
        await _create_roles(guard)
        await guard.execute(
            f"CREATE SCHEMA IF NOT EXISTS {VERSION_SCHEMA};"
            f"CREATE TABLE IF NOT EXISTS {VERSION_SCHEMA}.fingerprints"
            " (history text PRIMARY KEY, fingerprint text NOT NULL, revisions text NOT NULL)"
        )
        behind = [history for history in chosen if not await _is_current(guard, history)]
        if not behind:
            return []
        applied = await _upgrade_all(url, behind)
        for history in behind:
            await _remember(guard, history)
        return applied


@contextlib.asynccontextmanager
async def _exclusive(url: str) -> AsyncGenerator[asyncpg.Connection]:
    """Hold the runners' lock on a connection of its own, so that it lasts over all their transactions."""
    try:
        connection = await asyncpg.connect(url, timeout=30)
    # asyncpg hands a port that cannot be one to the socket, which overflows.
    except (OSError, OverflowError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachableError(error) from error
    try:
        await connection.execute(f"SET statement_timeout = 0; SET lock_timeout = '{_RUNNER_WAIT_SECONDS}s'")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        yield connection
    finally:
        await connection.close(timeout=10)


async def _create_roles(connection: asyncpg.Connection) -> None:
    """Services log in with one URL and then `SET role`; roles are shared by all databases of the server."""
    for role in GROUP_ROLES:
        await connection.execute(
            f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
                IF NOT EXISTS (
                    SELECT FROM pg_auth_members AS membership
                    WHERE membership.roleid = '{role}'::regrole AND membership.member = current_user::regrole
                      -- PostgreSQL 16 and later: the creator of a role administers it but may not yet become it
                      AND coalesce((to_jsonb(membership) ->> 'set_option')::boolean, true)
                ) THEN
                    GRANT {role} TO CURRENT_USER;
                END IF;
            -- another database of this server is being migrated at this moment
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END $$
            """
        )


async def _is_current(connection: asyncpg.Connection, history: MigrationHistory) -> bool:
    known = await connection.fetchrow(
        f"SELECT fingerprint, revisions FROM {VERSION_SCHEMA}.fingerprints WHERE history = $1", history.name
    )
    return (
        known is not None
        and known["fingerprint"] == history.fingerprint()
        and known["revisions"] == await _revisions(connection, history)
    )


async def _remember(connection: asyncpg.Connection, history: MigrationHistory) -> None:
    await connection.execute(
        f"INSERT INTO {VERSION_SCHEMA}.fingerprints VALUES ($1, $2, $3)"
        " ON CONFLICT (history) DO UPDATE SET fingerprint = excluded.fingerprint, revisions = excluded.revisions",
        history.name,
        history.fingerprint(),
        await _revisions(connection, history),
    )


async def _revisions(connection: asyncpg.Connection, history: MigrationHistory) -> str | None:
    table = f'{VERSION_SCHEMA}."{history.version_table}"'
    if await connection.fetchval("SELECT to_regclass($1)", table) is None:
        return None
    rows = await connection.fetch(f"SELECT version_num FROM {table} ORDER BY version_num")
    return ",".join(row["version_num"] for row in rows)


async def _upgrade_all(url: str, histories: Sequence[MigrationHistory]) -> list[AppliedRevision]:
    # Alembic and SQLAlchemy take most of a second to import; an unchanged database never gets here.
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    async def connect() -> asyncpg.Connection:
        # asyncpg reads the URL itself: SQLAlchemy would split a socket folder at its colons and commas.
        settings = {"statement_timeout": "0", "lock_timeout": f"{_TABLE_LOCK_WAIT_SECONDS}s"}
        return await asyncpg.connect(url, timeout=30, server_settings=settings)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    applied: list[AppliedRevision] = []
    try:
        async with engine.connect() as connection:
            for history in histories:
                applied += await connection.run_sync(_upgrade, history)
    finally:
        await engine.dispose()
    return applied


def _upgrade(connection: "Connection", history: MigrationHistory) -> list[AppliedRevision]:
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    script = ScriptDirectory(str(history.folder), version_locations=[str(history.folder / "versions")])
    applied: list[AppliedRevision] = []

    def steps(current: Any, _context: Any) -> Any:
        try:
            return script._upgrade_revs("heads", current)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        except CommandError as error:
            raise UnknownRevisionError(history.name, str(current)) from error

    def note(*_: Any, **details: Any) -> None:
        step = details["step"]
        applied.append(AppliedRevision(history.name, str(step.up_revision_id), str(step.up_revision.doc)))

    environment = EnvironmentContext(Config(), script, fn=steps)
    with environment:
        environment.configure(
            connection=connection,
            version_table=history.version_table,
            version_table_schema=VERSION_SCHEMA,
            on_version_apply=note,
        )
        # One transaction for the history: a failed revision leaves the one before, whole.
        with environment.begin_transaction():
            environment.run_migrations()
    connection.commit()
    return applied


def _in_order(histories: Iterable[MigrationHistory]) -> list[MigrationHistory]:
    return sorted(histories, key=lambda history: (history.order, history.name))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m vyomo_service_kit.migrations",
        description="Bring the database to the newest schema; safe to run at any time, also twice at once.",
    )
    parser.add_argument(
        "--postgres",
        metavar="URL",
        default=os.environ.get("VYOMO_POSTGRES_URL"),
        help="for example postgresql://vyomo@localhost/vyomo (default: VYOMO_POSTGRES_URL)",
    )
    options = parser.parse_args(arguments)
    if not options.postgres:
        parser.error("--postgres URL (or VYOMO_POSTGRES_URL) is needed")
    try:
        applied = migrate(str(options.postgres))
    except MigrationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for revision in applied:
        sys.stdout.write(f"{revision.history}: {revision.revision} {revision.message}\n")
    sys.stdout.write(f"{len(applied)} revision(s) applied\n")
    return 0


if __name__ == "__main__":
    # Under its real name: histories are instances of that module's class, not of `__main__`'s.
    from vyomo_service_kit.migrations import main as run

    sys.exit(run())
