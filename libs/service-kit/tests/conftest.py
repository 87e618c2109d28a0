from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from vyomo_contracts.commands import RingDoorbell
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.embedded import EmbeddedNats


@pytest.fixture
def restartable_nats(tmp_path: Path) -> Iterator[EmbeddedNats]:
    """A server of this test alone, to stop and start."""
    with EmbeddedNats(tmp_path / "nats", durable=False) as server:
        yield server


@pytest.fixture
def doorbell() -> Callable[..., RingDoorbell]:
    """Any message will do to try the bus with; this is the shortest."""

    def make(*account_ids: int) -> RingDoorbell:
        return RingDoorbell(
            id="1",
            type=RingDoorbell.TYPE,
            time=datetime(2026, 3, 2, 6, 30, tzinfo=UTC),
            correlation_id="1",
            source="test",
            account_ids=account_ids,
        )

    return make


@pytest_asyncio.fixture
async def caller(nats_url: str) -> AsyncGenerator[Bus]:
    """A bus that serves nothing."""
    async with Bus(nats_url, name="caller").open() as opened:
        yield opened
