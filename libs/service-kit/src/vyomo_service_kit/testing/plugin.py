"""Pytest fixtures with a real nats-server and a real PostgreSQL, started once for the session when first asked for.

Loaded through the `pytest11` entry point, so no conftest needs to name it; imports stay inside the fixtures.

nats_server         the running EmbeddedNats (session)
nats_url            its URL, with no stream left of the test before
postgres_server     the running EmbeddedPostgres (session)
postgres_template   name of a database with every migration applied (session)
database_url        URL of a fresh copy of that database, dropped after the test
empty_database_url  URL of a fresh database without any table, dropped after the test
"""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres

_TEMPLATE = "vyomo_template"
_numbers = itertools.count(1)


def pytest_configure() -> None:
    """Others use these cores too: how long Hypothesis takes for an example says nothing."""
    with suppress(ImportError):
        from hypothesis import HealthCheck, settings  # noqa: PLC0415

        settings.register_profile("shared cores", deadline=None, suppress_health_check=[HealthCheck.too_slow])
        settings.load_profile("shared cores")


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Structlog's own would show every local variable, which takes seconds where a test fails a handler ten times."""
    import structlog  # noqa: PLC0415

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[EmbeddedNats]":
    from vyomo_service_kit.embedded import EmbeddedNats  # noqa: PLC0415

    server = EmbeddedNats(tmp_path_factory.mktemp("nats"), durable=False)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture
def nats_url(nats_server: "EmbeddedNats") -> Iterator[str]:
    from vyomo_service_kit.testing.databases import delete_streams  # noqa: PLC0415

    yield nats_server.url
    if nats_server.is_running and nats_server.monitor("jsz").get("streams"):
        delete_streams(nats_server.url)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[EmbeddedPostgres]":
    from vyomo_service_kit.embedded import EmbeddedPostgres  # noqa: PLC0415

    # Tests of durability start a server of their own; all others should not wait for the disk.
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False, max_connections=200)
    server.start()
    yield server
    server.stop()
    # pytest keeps the folders of three runs, and a cluster is a hundred megabytes.
    shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: "EmbeddedPostgres") -> str:
    from vyomo_service_kit.migrations import migrate_async  # noqa: PLC0415
    from vyomo_service_kit.testing.databases import execute, run_apart  # noqa: PLC0415

    execute(postgres_server.url, f"CREATE DATABASE {_TEMPLATE}")
    run_apart(lambda: migrate_async(postgres_server.database_url(_TEMPLATE)))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: "EmbeddedPostgres", postgres_template: str) -> Iterator[str]:
    yield from _fresh_database(postgres_server, postgres_template)


@pytest.fixture
def empty_database_url(postgres_server: "EmbeddedPostgres") -> Iterator[str]:
    yield from _fresh_database(postgres_server, "template0")


def _fresh_database(server: "EmbeddedPostgres", template: str) -> Iterator[str]:
    from vyomo_service_kit.testing.databases import execute  # noqa: PLC0415

    name = f"test_{next(_numbers)}"
    execute(server.url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.database_url(name)
    # FORCE: a pool that a failed test left open must not fail the next one too.
    execute(server.url, f"DROP DATABASE {name} WITH (FORCE)")
