"""What the machine can do at all, measured in the same run: every figure of the system is also told as a ratio to these."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import nats

from .children import running_module
from .errors import BenchError
from .http_client import HttpConnection, Target
from .load import LoadPlan, LoadResult, generate
from .sizes import Sizes
from .statistics import spread
from .system import Connections, free_port, market_order

_ECHO_SUBJECT = "bench.echo"
_PAGE = os.urandom(8192)
_FILE_PAGES = 512
_WARM_UP = 20
_STUB_LIMIT_SECONDS = 15.0


def fsync(folder: Path, rounds: int) -> dict[str, float]:
    """8 kB written in a preallocated file and forced to the disk, as a write-ahead log does."""
    path = folder / "fsync-floor"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.write(descriptor, _PAGE * _FILE_PAGES)
        os.fsync(descriptor)
        seconds: list[float] = []
        for number in range(rounds):
            began = time.perf_counter()
            os.pwrite(descriptor, _PAGE, number % _FILE_PAGES * len(_PAGE))
            os.fdatasync(descriptor)
            seconds.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return spread("fsync", seconds, (50, 99))


async def commit(postgres_url: str, rounds: int) -> dict[str, float]:
    """One row inserted and committed, one after the other, in the system's own database."""
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE SCHEMA bench; CREATE TABLE bench.commits (id bigint, body text)")
        insert = await connection.prepare("INSERT INTO bench.commits VALUES ($1, $2)")
        body = "x" * 500
        seconds: list[float] = []
        for number in range(rounds + _WARM_UP):
            began = time.perf_counter()
            await insert.fetch(number, body)
            seconds.append(time.perf_counter() - began)
        await connection.execute("DROP SCHEMA bench CASCADE")
    finally:
        await connection.close()
    return spread("commit", seconds[_WARM_UP:], (50, 99))


async def nats_round_trip(nats_url: str, rounds: int) -> dict[str, float]:
    """Request and reply between two processes over the system's own bus, without a framework."""
    client = await nats.connect(nats_url, name="bench-floor")
    try:
        payload = b"x" * 500
        seconds: list[float] = []
        for _ in range(rounds + _WARM_UP):
            began = time.perf_counter()
            await client.request(_ECHO_SUBJECT, payload, timeout=2)
            seconds.append(time.perf_counter() - began)
    finally:
        await client.close()
    return spread("nats_rtt", seconds[_WARM_UP:], (50, 99))


async def echo(port: int, clients: int, seconds: float) -> LoadResult:
    """POSTs of an order body to a bare FastAPI application that echoes it."""
    target = Target("127.0.0.1", port)
    request = target.request("POST", "/echo", market_order("RELIANCE")).decode()
    return await generate(
        LoadPlan(host=target.host, port=port, requests=[request], clients=clients, seconds=seconds)
    )


@asynccontextmanager
async def stub(nats_url: str) -> AsyncGenerator[int]:
    """The echo process, ready; yields its port."""
    port = free_port()
    async with running_module("stub", str(port), nats_url, _ECHO_SUBJECT):
        limit = time.monotonic() + _STUB_LIMIT_SECONDS
        while True:
            try:
                connection = await HttpConnection.open(Target("127.0.0.1", port))
            except OSError:
                if time.monotonic() > limit:
                    raise BenchError("the echo server did not start") from None
                await asyncio.sleep(0.05)
            else:
                connection.close()
                break
        yield port


async def measure(folder: Path, connections: Connections, stub_port: int, sizes: Sizes) -> dict[str, float]:
    await echo(stub_port, 8, 0.3)
    alone = await echo(stub_port, 1, sizes.echo_seconds / 2)
    return {
        **fsync(folder, sizes.floor_rounds),
        **await commit(connections.postgres_url, sizes.floor_rounds),
        **await nats_round_trip(connections.nats_url, sizes.floor_rounds),
        **spread("echo", alone.seconds, (50, 99)),
    }
