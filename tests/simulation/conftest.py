import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

# The simulation is a program, not an installed package: `run.py` finds its modules beside itself, and so do these tests.
sys.path.insert(0, str(Path(__file__).parent))

from record_under_test import RecordUnderTest, in_memory, in_postgres


@pytest.fixture(params=["postgresql", "memory"])
async def record(request: pytest.FixtureRequest) -> AsyncGenerator[RecordUnderTest]:
    if request.param == "memory":
        opening = in_memory()
    else:
        opening = in_postgres(request.getfixturevalue("database_url"))
    async with opening as opened:
        yield opened
