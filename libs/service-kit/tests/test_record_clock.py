"""Time as the record tells it, however wrong this machine's wall clock is (F21)."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Database, open_database
from vyomo_service_kit.record_clock import RecordClock

TRUTH = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


@dataclass
class WrongClock:
    """A wall clock that is a day off, beside a boot clock that is right."""

    at: float = 1000.0

    def now(self) -> datetime:
        return TRUTH + timedelta(days=1, seconds=self.at)

    def elapsed(self) -> float:
        return self.at


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0.001, 3), st.floats(0.01, 0.99)),
        min_size=1,
        max_size=20,
    )
)
def test_error_is_never_more_than_half_of_the_quickest_look(looks: list[tuple[float, float, float]]) -> None:
    machine = WrongClock()
    clock = RecordClock(machine)
    for pause, took, share in looks:
        machine.at += pause
        asked = machine.at
        recorded = TRUTH + timedelta(seconds=asked + took * share)
        machine.at += took
        clock.observe(asked, recorded, machine.at)

    error = (clock.now() - (TRUTH + timedelta(seconds=machine.at))).total_seconds()
    assert abs(error) <= min(took for _, took, _ in looks) / 2 + 1e-4


def test_records_clock_that_is_moved_is_followed_at_the_next_look() -> None:
    machine = WrongClock()
    clock = RecordClock(machine)
    clock.observe(machine.at, TRUTH, machine.at + 0.01)
    clock.observe(machine.at, TRUTH + timedelta(hours=1), machine.at + 0.01)

    assert abs(clock.now() - TRUTH - timedelta(hours=1)) < timedelta(seconds=0.02)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    async with open_database(database_url, role="vyomo_router", application="test") as opened:
        yield opened


async def test_follows_the_real_record(database: Database) -> None:
    clock = RecordClock(WrongMachine())
    async with clock.following(database):
        await asyncio.sleep(0.1)
        async with database.connection() as connection:
            before = clock.now()
            recorded: datetime | None = await connection.fetchval("SELECT clock_timestamp()")
            after = clock.now()

    assert recorded is not None
    assert before - timedelta(seconds=0.2) < recorded < after + timedelta(seconds=0.2)


class WrongMachine(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(seconds=20)
