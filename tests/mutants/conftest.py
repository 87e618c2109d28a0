import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from vyomo_service_kit.embedded import EmbeddedPostgres
from vyomo_service_kit.testing.databases import execute

# Not an installed package: these tests find its modules beside themselves, and the tools that edit code beside the simulation's.
sys.path.insert(0, str(Path(__file__).parents[1] / "simulation"))
sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite("vyomo_mutants")

from vyomo_mutants.stage import Stage, on_stage  # noqa: E402


@pytest.fixture(scope="session")
def shared_database_url(postgres_server: EmbeddedPostgres, postgres_template: str) -> Iterator[str]:
    """One for all scenarios of a process: making a database costs more than playing most of them."""
    execute(postgres_server.url, f"CREATE DATABASE scenarios TEMPLATE {postgres_template}")
    yield postgres_server.database_url("scenarios")
    execute(postgres_server.url, "DROP DATABASE scenarios WITH (FORCE)")


@pytest.fixture
async def stage(shared_database_url: str) -> AsyncGenerator[Stage]:
    async with on_stage(shared_database_url) as opened:
        yield opened
