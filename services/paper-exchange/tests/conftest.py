from collections.abc import AsyncGenerator

import pytest

from vyomo_paper_exchange.testing.venue import Venue, venue_world


@pytest.fixture
async def venue(database_url: str, nats_url: str) -> AsyncGenerator[Venue]:
    async with venue_world(database_url, nats_url) as opened:
        yield opened
