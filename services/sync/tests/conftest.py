from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_service_kit.bus import declare_topology
from vyomo_service_kit.database import Database, open_database
from vyomo_sync.bootstrap import service
from vyomo_sync.settings import SyncSettings
from vyomo_sync.testing import Surroundings, surroundings_of


@pytest.fixture
def settings(nats_url: str, database_url: str) -> SyncSettings:
    return SyncSettings(
        nats_url=SecretStr(nats_url), postgres_url=SecretStr(database_url), reconcile_seconds=0.2
    )


@pytest.fixture
async def surroundings(settings: SyncSettings) -> AsyncIterator[Surroundings]:
    async with surroundings_of(settings) as opened:
        yield opened


@pytest.fixture
async def running(settings: SyncSettings, surroundings: Surroundings) -> AsyncIterator[Surroundings]:
    """The service, ready, with its surroundings."""
    await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))
    async with service(settings):
        yield surroundings


@pytest.fixture
async def sync_database(database_url: str) -> AsyncIterator[Database]:
    """The database as the service sees it."""
    async with open_database(database_url, role="vyomo_sync", application="test") as database:
        yield database
