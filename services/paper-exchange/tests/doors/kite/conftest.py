from collections.abc import AsyncGenerator

import pytest

from vyomo_paper_exchange.testing.kite import KiteWorld, kite_world
from vyomo_paper_exchange.testing.venue import Venue


@pytest.fixture
async def kite(venue: Venue, database_url: str) -> AsyncGenerator[KiteWorld]:
    async with kite_world(venue, database_url) as world:
        yield world
