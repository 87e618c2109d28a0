from collections.abc import AsyncIterator

import pytest

from vyomo_broker_angel.naming import AngelNames
from vyomo_broker_angel.testing import CHAIN, RELIANCE
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.routes import Routes
from vyomo_broker_kit.testing.parrot import Parrot, serving
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Environment
from vyomo_ledger.instruments import INSTRUMENT_COLUMNS, InstrumentDirectory
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database


@pytest.fixture
async def angel() -> AsyncIterator[Parrot]:
    async with serving(Parrot()) as angel:
        yield angel


@pytest.fixture
async def transport(angel: Parrot) -> AsyncIterator[OrderTransport]:
    async with OrderTransport(angel.url, total_seconds=2) as transport:
        yield transport


@pytest.fixture
async def routes(angel: Parrot) -> AsyncIterator[Routes]:
    async with Routes({Environment.LIVE: angel.url}, call_seconds=2) as routes:
        yield routes


@pytest.fixture
async def names(database_url: str) -> AsyncIterator[AngelNames]:
    """Over a record that lists RELIANCE and one option."""
    places = ", ".join(f"${place}" for place in range(1, len(Instrument.model_fields) + 1))
    insert = f"INSERT INTO market.instruments ({INSTRUMENT_COLUMNS}, source) VALUES ({places}, 'test')"
    async with open_database(database_url, role="vyomo_worker", application="test") as database:
        async with database.transaction() as connection:
            for each in (RELIANCE, CHAIN):
                await connection.execute(insert, *(getattr(each, name) for name in Instrument.model_fields))
        yield AngelNames(InstrumentDirectory(database, SystemClock()), database, SystemClock())
