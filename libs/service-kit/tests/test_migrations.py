import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from vyomo_service_kit.migrations import (
    GROUP_ROLES,
    MigrationHistory,
    UnknownRevisionError,
    discover_histories,
    migrate_async,
)

FIRST = '''
"""Make the example table."""
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA example")
    op.execute("CREATE TABLE example.things (id bigint PRIMARY KEY)")
    op.execute("GRANT USAGE ON SCHEMA example TO vyomo_gateway")
    op.execute("GRANT SELECT ON example.things TO vyomo_gateway")
'''

SECOND = '''
"""Name the things."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("ALTER TABLE example.things ADD name text NOT NULL")
'''

BROKEN = '''
"""Fail half way."""
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE example.half (id bigint)")
    op.execute("CREATE TABLE example.things (id bigint)")
'''


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MigrationHistory:
    name = f"example_{tmp_path.name.replace('-', '_')}"
    package = tmp_path / name
    (package / "versions").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "versions" / "0001_things.py").write_text(FIRST)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return MigrationHistory(name="example", package=name, order=1)


def add(history: MigrationHistory, text: str) -> None:
    (history.folder / "versions" / "0002_names.py").write_text(text)


async def test_applies_what_is_missing_and_nothing_twice(
    empty_database_url: str, history: MigrationHistory
) -> None:
    first = await migrate_async(empty_database_url, [history])
    again = await migrate_async(empty_database_url, [history])
    add(history, SECOND)
    second = await migrate_async(empty_database_url, [history])

    assert [applied.revision for applied in first] == ["0001"]
    assert again == []
    assert [(applied.revision, applied.message) for applied in second] == [("0002", "Name the things.")]


async def test_two_runners_at_once_apply_once(empty_database_url: str, history: MigrationHistory) -> None:
    runs = await asyncio.gather(*(migrate_async(empty_database_url, [history]) for _ in range(4)))

    assert sorted(len(applied) for applied in runs) == [0, 0, 0, 1]


async def test_failed_revision_leaves_nothing_behind(
    empty_database_url: str, history: MigrationHistory
) -> None:
    await migrate_async(empty_database_url, [history])
    add(history, BROKEN)

    with pytest.raises(Exception, match="already exists"):
        await migrate_async(empty_database_url, [history])

    connection = await asyncpg.connect(empty_database_url)
    assert await connection.fetchval("SELECT to_regclass('example.half')") is None
    version = await connection.fetchval("SELECT version_num FROM migrations.alembic_version_example")
    assert version == "0001"
    await connection.close()


async def test_database_of_newer_code_is_refused(empty_database_url: str, history: MigrationHistory) -> None:
    add(history, SECOND)
    await migrate_async(empty_database_url, [history])
    (history.folder / "versions" / "0002_names.py").unlink()

    with pytest.raises(UnknownRevisionError):
        await migrate_async(empty_database_url, [history])


async def test_login_user_can_become_each_group_role(
    empty_database_url: str, history: MigrationHistory
) -> None:
    await migrate_async(empty_database_url, [history])

    for role in GROUP_ROLES:
        connection = await asyncpg.connect(empty_database_url, server_settings={"role": role})
        assert await connection.fetchval("SELECT current_user") == role
        await connection.close()


async def test_role_reads_only_what_it_was_granted(
    empty_database_url: str, history: MigrationHistory
) -> None:
    await migrate_async(empty_database_url, [history])

    reader = await asyncpg.connect(empty_database_url, server_settings={"role": "vyomo_gateway"})
    assert await reader.fetch("SELECT * FROM example.things") == []
    await reader.close()
    stranger = await asyncpg.connect(empty_database_url, server_settings={"role": "vyomo_sync"})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stranger.fetch("SELECT * FROM example.things")
    await stranger.close()


async def test_plain_owner_of_a_managed_database_can_migrate(
    empty_database_url: str, history: MigrationHistory
) -> None:
    superuser = await asyncpg.connect(empty_database_url)
    await superuser.execute("CREATE ROLE managed_owner LOGIN CREATEROLE")
    database = await superuser.fetchval("SELECT current_database()")
    await superuser.execute(f"ALTER DATABASE {database} OWNER TO managed_owner")
    await superuser.execute(f"GRANT {', '.join(GROUP_ROLES)} TO managed_owner WITH ADMIN TRUE, SET FALSE")

    await migrate_async(empty_database_url.replace("//vyomo@", "//managed_owner@"), [history])

    connection = await asyncpg.connect(
        empty_database_url.replace("//vyomo@", "//managed_owner@"), server_settings={"role": "vyomo_sync"}
    )
    assert await connection.fetchval("SELECT current_user") == "vyomo_sync"
    await connection.close()
    await superuser.execute(
        "DROP OWNED BY managed_owner CASCADE; ALTER DATABASE " + database + " OWNER TO vyomo"
    )
    await superuser.close()


def test_command_line_migrates_the_installed_histories(empty_database_url: str) -> None:
    command = [sys.executable, "-m", "vyomo_service_kit.migrations", "--postgres", empty_database_url]

    first = subprocess.run(command, capture_output=True, text=True, check=False)
    second = subprocess.run(command, capture_output=True, text=True, check=False)

    assert first.returncode == 0, first.stderr
    for history in discover_histories():
        assert f"{history.name}: " in first.stdout
    assert second.stdout == "0 revision(s) applied\n"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:hidden@127.0.0.1:1/vyomo", "127.0.0.1"),
        ("postgresql://user:hidden@127.0.0.1:99999/vyomo", "port"),
        ("mysql://user:hidden@127.0.0.1/vyomo", "mysql"),
    ],
)
def test_database_that_cannot_be_reached_is_one_sentence(url: str, said: str) -> None:
    command = [sys.executable, "-m", "vyomo_service_kit.migrations", "--postgres", url]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 1
    [line] = result.stderr.splitlines()
    assert line.startswith("cannot connect to PostgreSQL: ")
    assert said in line
    assert "hidden" not in line


async def test_installed_histories_migrate_the_test_template(database_url: str) -> None:
    assert await migrate_async(database_url) == []

    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch("SELECT history FROM migrations.fingerprints")
    await connection.close()
    assert {row["history"] for row in rows} == {history.name for history in discover_histories()}
