import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from vyomo_service_kit.embedded import AlreadyRunningError, EmbeddedPostgres, UnsafeFolderError
from vyomo_service_kit.embedded.folders import SOCKET_PATH_LIMIT
from vyomo_service_kit.embedded.postgres_binaries import find_postgres
from vyomo_service_kit.embedded.processes import (
    ChildUser,
    ProcessRecord,
    child_setup,
    unprivileged_user,
    wait_until,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("with a space") / "pg") as running:
        yield running


async def value(server: EmbeddedPostgres, query: str) -> Any:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_settings_are_durable_by_default(server: EmbeddedPostgres) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await value(server, f"SHOW {name}") == "on"
    assert await value(server, "SHOW listen_addresses") == ""
    assert await value(server, "SHOW wal_segment_size") == "64MB"
    assert await value(server, "SHOW server_encoding") == "UTF8"


def test_socket_lies_in_a_private_folder(server: EmbeddedPostgres) -> None:
    details = server.socket_directory.stat()

    assert stat.S_IMODE(details.st_mode) == 0o700
    assert stat.S_IMODE(server.data_directory.stat().st_mode) == 0o700


async def test_port_variable_of_the_caller_does_not_lead_clients_astray(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")

    assert await value(server, "SELECT 1") == 1


async def test_committed_rows_survive_a_kill_of_the_postmaster(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    server.process.kill()
    server.process.wait()

    server.launch()
    server.wait_ready()

    assert await value(server, "SELECT count(*) FROM kept") == 1000
    connection.terminate()


def test_second_owner_of_a_folder_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(AlreadyRunningError):
        EmbeddedPostgres(server.directory).start()

    assert server.is_running


async def test_long_path_and_stale_lock_of_a_reused_pid(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / "pg"
    first = EmbeddedPostgres(folder, durable=False)
    first.start()
    first.stop()
    # As after a reboot: the lock file names a living process that has nothing to do with PostgreSQL.
    (first.data_directory / "postmaster.pid").write_text(f"{os.getpid()}\n{first.data_directory}\n")

    with EmbeddedPostgres(folder, durable=False) as second:
        assert len(str(second.socket_directory)) < SOCKET_PATH_LIMIT
        assert await value(second, "SELECT current_database()") == "vyomo"
        used = second.socket_directory

    assert not used.exists()


async def test_epoch_of_the_restore_runbook_lifts_all_transaction_numbers(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    with server:
        before = await value(server, "SELECT pg_current_xact_id()::text::bigint")
    subprocess.run(
        [server.binaries.program("pg_resetwal"), "-e", "1", "-D", server.data_directory],
        check=True,
        preexec_fn=child_setup(signal.SIGKILL, unprivileged_user()),
    )

    with server:
        after = await value(server, "SELECT pg_current_xact_id()::text::bigint")

    assert before < 1 << 32 <= after


def test_interrupted_initialisation_is_redone(tmp_path: Path) -> None:
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    with EmbeddedPostgres(tmp_path, durable=False) as running:
        assert running.is_running


def test_server_dies_with_its_owner_and_the_next_start_recovers(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    owner = os.fork()
    if owner == 0:
        try:
            running = EmbeddedPostgres(tmp_path, durable=False)
            running.start()
            assert running.process is not None
            os.write(writer, str(running.process.pid).encode())
            signal.pause()
        finally:
            os._exit(1)
    orphan = ProcessRecord.of(int(os.read(reader, 20)))
    assert orphan is not None

    os.kill(owner, signal.SIGKILL)
    os.waitpid(owner, 0)

    assert wait_until(lambda: not orphan.is_alive(), timeout_seconds=5)
    with EmbeddedPostgres(tmp_path, durable=False) as running:
        assert running.is_running


@as_root
async def test_root_without_namespaces_runs_it_as_nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    # pytest's own temporary folders are closed to nobody.
    folder = Path("/tmp") / f"vyomo-test-{os.getpid()}"  # noqa: S108
    try:
        with EmbeddedPostgres(folder, durable=False, run_as=ChildUser.NOBODY) as running:
            assert running.process is not None
            assert Path(f"/proc/{running.process.pid}").stat().st_uid != 0
            assert await value(running, "SELECT 1") == 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@as_root
def test_nobody_cannot_use_a_folder_in_a_closed_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)

    with pytest.raises(UnsafeFolderError):
        EmbeddedPostgres(home / "pg", run_as=ChildUser.NOBODY).start()


def test_environment_names_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = find_postgres().directory

    monkeypatch.setenv("VYOMO_POSTGRES_BIN", str(folder))

    assert find_postgres().source == "VYOMO_POSTGRES_BIN"
