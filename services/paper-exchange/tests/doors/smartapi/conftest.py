from collections.abc import AsyncGenerator

import pytest

from vyomo_paper_exchange.testing.smartapi import SmartWorld, smartapi_world
from vyomo_paper_exchange.testing.venue import Venue


@pytest.fixture
async def angel(venue: Venue, database_url: str) -> AsyncGenerator[SmartWorld]:
    async with smartapi_world(venue, database_url) as world:
        yield world
