from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from vyomo_ledger.testing import RecordWorld, record_world


@pytest_asyncio.fixture
async def world(database_url: str, nats_url: str) -> AsyncGenerator[RecordWorld]:
    """A real record and a real bus with two accounts of one user and one of another."""
    async with record_world(database_url, nats_url) as opened:
        yield opened


__all__ = ["pytest", "world"]
