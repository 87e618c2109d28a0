"""Making and dropping test databases from synchronous fixtures."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_apart(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end in a loop and a thread of its own; the test's event loop is left alone."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(lambda: asyncio.run(function())).result()


def execute(url: str, *statements: str) -> None:
    """Run statements one by one, each in its own transaction (CREATE DATABASE allows no other way)."""
    import asyncpg  # noqa: PLC0415

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run_apart(run)


def delete_streams(url: str) -> None:
    """Empty JetStream, so that a test starts with no stream of the one before."""
    import nats  # noqa: PLC0415

    async def run() -> None:
        client = await nats.connect(url)
        try:
            context = client.jetstream()
            for stream in await context.streams_info():
                if stream.config.name:
                    await context.delete_stream(stream.config.name)
        finally:
            await client.close()

    run_apart(run)
