from collections.abc import AsyncGenerator

import pytest

from vyomo_broker_kit.testing.floor import Floor, trading_floor


@pytest.fixture
async def floor(database_url: str, nats_url: str) -> AsyncGenerator[Floor]:
    async with trading_floor(database_url, nats_url) as opened:
        yield opened
