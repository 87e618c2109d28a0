"""How late this process itself runs: every byte goes through it, so a machine that starves it starves the system under test."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

LOOK_SECONDS: Final = 0.05
MOST_MS: Final = 250.0
"""Above it, times say how busy the machine was, and nothing of the system."""


@asynccontextmanager
async def measured() -> AsyncGenerator[list[float]]:
    """Milliseconds by which each short sleep was too long."""
    late: list[float] = []

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            late.append((time.monotonic() - began - LOOK_SECONDS) * 1000)

    looking = asyncio.create_task(look())
    try:
        yield late
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
