from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import pytest_asyncio

from vyomo_order_router.testing import Caller, running_router

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


@pytest.fixture
def open_router(database_url: str, nats_url: str) -> OpenRouter:
    """Starts a router with settings of the test's own."""

    def start(**settings: Any) -> AbstractAsyncContextManager[Caller]:
        return running_router(database_url, nats_url, **settings)

    return start


@pytest_asyncio.fixture
async def caller(open_router: OpenRouter) -> AsyncGenerator[Caller]:
    async with open_router() as opened:
        yield opened
