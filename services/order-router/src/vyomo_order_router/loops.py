"""What the router does again and again beside answering: relay, sweeper, switches, audits."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from vyomo_service_kit.runtime import cancel_and_wait, repeat

EVERY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """One job of it. `wake` lets it run before its time."""

    name: str
    run_once: Callable[[], Awaitable[object]]
    every_seconds: float = EVERY_SECONDS
    wake: asyncio.Event | None = None


@asynccontextmanager
async def running(loops: Iterable[Loop]) -> AsyncGenerator[None]:
    tasks = [asyncio.create_task(_run(loop)) for loop in loops]
    try:
        yield
    finally:
        await cancel_and_wait(*tasks)


async def _run(loop: Loop) -> None:
    async def once() -> None:
        await loop.run_once()

    await repeat(once, every_seconds=loop.every_seconds, name=loop.name, wake=loop.wake)
