from collections.abc import AsyncIterator

import pytest

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.testing.parrot import Parrot, serving


@pytest.fixture
async def angel() -> AsyncIterator[Parrot]:
    async with serving(Parrot()) as angel:
        yield angel


@pytest.fixture
async def transport(angel: Parrot) -> AsyncIterator[OrderTransport]:
    async with OrderTransport(angel.url, total_seconds=0.5) as transport:
        yield transport
