"""One test of the store on every kind of server that Vyomo runs on: embedded, and the official image where Docker is."""

import contextlib
import os
import socket
from collections.abc import Generator, Iterator

import asyncpg
import pytest

from vyomo_service_kit.migrations import GROUP_ROLES, discover_histories, migrate_async


def docker_answers() -> bool:
    # Asked by hand: the client library leaves sockets open when nobody answers.
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        return engine.connect_ex(host.removeprefix("unix://")) == 0


@contextlib.contextmanager
def container_url() -> Generator[str]:
    if not docker_answers():
        pytest.skip("no Docker engine answers")
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415

    with PostgresContainer("postgres:18", username="vyomo", dbname="vyomo", driver=None) as container:
        yield container.get_connection_url()


IN_CONTAINER = (
    pytest.mark.docker,
    pytest.mark.timeout(300),  # the image may have to be pulled
    # The Docker client leaves sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
)


@pytest.fixture(params=["embedded", pytest.param("container", marks=IN_CONTAINER)])
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "embedded":
        yield request.getfixturevalue("empty_database_url")
        return
    with container_url() as url:
        yield url


async def test_store_migrates_twice_and_serves_every_role(store_url: str) -> None:
    first = await migrate_async(store_url)
    second = await migrate_async(store_url)

    assert {applied.history for applied in first} == {history.name for history in discover_histories()}
    assert second == []
    for role in GROUP_ROLES:
        connection = await asyncpg.connect(store_url, server_settings={"role": role})
        assert await connection.fetchval("SELECT current_user") == role
        await connection.close()
