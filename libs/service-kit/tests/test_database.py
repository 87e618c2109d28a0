import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from vyomo_service_kit.database import RecordUnavailableError, open_database
from vyomo_service_kit.embedded import EmbeddedPostgres
from vyomo_service_kit.testing import eventually


@pytest.fixture
def restartable_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of this test alone, to stop and start."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), durable=False) as server:
        yield server


async def test_connections_act_as_the_services_role(database_url: str) -> None:
    async with open_database(database_url, role="vyomo_sync", application="test") as database:
        async with database.connection() as connection:
            row = await connection.fetchrow(
                "SELECT current_user, session_user, current_setting('TimeZone') AS zone,"
                " current_setting('search_path') AS path, current_setting('application_name') AS application"
            )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.connection() as connection:
                await connection.execute("DELETE FROM ledger.broker_orders")

    assert row is not None
    assert dict(row) == {
        "current_user": "vyomo_sync",
        "session_user": "vyomo",
        "zone": "UTC",
        "path": "",
        "application": "test",
    }


async def test_transaction_that_raises_leaves_nothing(empty_database_url: str) -> None:
    async with open_database(empty_database_url, role="vyomo", application="test") as database:
        async with database.connection() as connection:
            await connection.execute("CREATE TABLE public.things (id int)")

        async def fail_half_way() -> None:
            async with database.transaction() as connection:
                await connection.execute("INSERT INTO public.things VALUES (1)")
                raise RuntimeError("half way")

        with pytest.raises(RuntimeError, match="half way"):
            await fail_half_way()

        async with database.connection() as connection:
            assert await connection.fetchval("SELECT count(*) FROM public.things") == 0


async def test_pool_that_is_used_up_makes_the_record_unavailable(empty_database_url: str) -> None:
    async with (
        open_database(
            empty_database_url, role="vyomo", application="test", max_size=1, acquire_seconds=0.1
        ) as database,
        database.connection(),
    ):
        with pytest.raises(RecordUnavailableError):
            async with database.connection():
                pass


async def test_statement_over_its_time_makes_the_record_unavailable(empty_database_url: str) -> None:
    async with open_database(
        empty_database_url, role="vyomo", application="test", statement_seconds=0.1
    ) as database:
        with pytest.raises(RecordUnavailableError):
            async with database.connection() as connection:
                await connection.execute("SELECT pg_sleep(30)")


async def test_value_that_does_not_fit_its_column_is_the_callers_fault(empty_database_url: str) -> None:
    async with open_database(empty_database_url, role="vyomo", application="test") as database:
        with pytest.raises(asyncpg.DataError, match="int32"):
            async with database.connection() as connection:
                await connection.fetchval("SELECT $1::integer", 2**31)


async def test_lock_that_is_not_won_in_time_is_told_as_such(empty_database_url: str) -> None:
    async with open_database(
        empty_database_url, role="vyomo", application="test", lock_seconds=0.1
    ) as database:
        async with database.connection() as connection:
            await connection.execute("CREATE TABLE public.things (id int)")
        async with database.transaction() as holder:
            await holder.execute("LOCK TABLE public.things")
            with pytest.raises(asyncpg.LockNotAvailableError):
                async with database.transaction() as connection:
                    await connection.execute("LOCK TABLE public.things")


async def test_connection_the_server_ended_a_moment_ago_makes_the_record_unavailable(
    restartable_postgres: EmbeddedPostgres,
) -> None:
    async with open_database(
        restartable_postgres.url, role="vyomo", application="test", max_size=2
    ) as database:

        async def use_what_was_ended(after_seconds: float) -> None:
            async with database.connection() as ended:
                pid = await ended.fetchval("SELECT pg_backend_pid()")
                async with database.connection() as other:
                    await other.fetchval("SELECT pg_terminate_backend($1)", pid)
                # What has arrived by now differs: nothing, the server's last word, or that and the end of the stream.
                await asyncio.sleep(after_seconds)
                await ended.fetchval("SELECT 1")

        for attempt in range(40):
            with pytest.raises(RecordUnavailableError):
                await use_what_was_ended(attempt * 0.00005)


async def test_stopped_server_is_unavailable_and_heals_when_it_returns(
    restartable_postgres: EmbeddedPostgres,
) -> None:
    async with open_database(
        restartable_postgres.url, role="vyomo", application="test", acquire_seconds=1
    ) as database:

        async def answer() -> int | None:
            async with database.connection() as connection:
                found: int | None = await connection.fetchval("SELECT 1")
                return found

        assert await answer() == 1
        restartable_postgres.stop()
        for _ in range(3):
            with pytest.raises(RecordUnavailableError):
                await answer()

        restartable_postgres.start()

        async def healed() -> bool:
            try:
                return await answer() == 1
            except RecordUnavailableError:
                return False

        await eventually(healed, timeout=10)


async def test_service_that_starts_while_the_server_is_away_waits_for_it(
    restartable_postgres: EmbeddedPostgres,
) -> None:
    url = restartable_postgres.url
    restartable_postgres.stop()

    async def ask() -> object:
        async with (
            open_database(url, role="vyomo", application="test") as database,
            database.connection() as connection,
        ):
            return await connection.fetchval("SELECT 1")

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.5)
    assert not asking.done()

    restartable_postgres.start()

    assert await asking == 1


async def test_server_that_never_comes_is_not_waited_for_for_ever() -> None:
    nowhere = "postgresql://vyomo@/vyomo?host=/nonexistent"

    with pytest.raises(OSError, match=r"nonexistent|No such file"):
        async with open_database(nowhere, role="vyomo", application="test", patience_seconds=0.5):
            pass
