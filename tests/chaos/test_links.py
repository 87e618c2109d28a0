"""The proxy itself: each trouble is what it says, and passes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from vyomo_chaos.links import BYTES_A_SECOND, DELAY_SECONDS, Link, Place, Trouble

Result = TypeVar("Result")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[Link], Awaitable[Streams]]


class Shouter:
    """A server that answers each line in capitals, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ended = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line.upper())
            writer.write(b"BYE\n")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()


@asynccontextmanager
async def linked() -> AsyncGenerator[tuple[Link, Shouter]]:
    shouter = Shouter()
    server = await asyncio.start_server(shouter, "127.0.0.1", 0)
    async with Link("test", Place(port=server.sockets[0].getsockname()[1])).open() as link:
        yield link, shouter
    server.close()


@pytest.fixture
async def connect() -> AsyncGenerator[Connect]:
    opened: list[Streams] = []

    async def through(link: Link) -> Streams:
        opened.append(await asyncio.open_connection("127.0.0.1", link.port))
        return opened[-1]

    yield through
    for _, writer in opened:
        writer.transport.abort()
    await asyncio.sleep(0)


async def ask(streams: Streams, line: bytes) -> bytes:
    streams[1].write(line)
    return await streams[0].readline()


async def within(seconds: float, work: Awaitable[Result]) -> Result:
    return await asyncio.wait_for(work, seconds)


async def is_silent(streams: Streams) -> bool:
    try:
        await within(0.2, streams[0].readline())
    except TimeoutError:
        return True
    return False


async def test_whole_link_carries_both_ways_and_ends_as_the_server_does(connect: Connect) -> None:
    async with linked() as (link, _):
        streams = await connect(link)

        assert await ask(streams, b"one\n") == b"ONE\n"
        streams[1].write_eof()
        assert await within(2, streams[0].read()) == b"BYE\n"


async def test_unix_socket_is_a_server_too(tmp_path: Path, connect: Connect) -> None:
    server = await asyncio.start_unix_server(Shouter(), tmp_path / "s")
    async with Link("test", Place(socket=tmp_path / "s")).open() as link:
        assert await ask(await connect(link), b"one\n") == b"ONE\n"
    server.close()


@pytest.mark.parametrize(
    ("trouble", "seconds"), [("delay", 2 * DELAY_SECONDS), ("throttle", 2 * 2000 / BYTES_A_SECOND)]
)
async def test_slow_link_is_late_both_ways_and_loses_nothing(
    trouble: Trouble, seconds: float, connect: Connect
) -> None:
    async with linked() as (link, _):
        streams = await connect(link)
        await ask(streams, b"warm\n")
        link.break_(trouble)
        line = b"x" * 1999 + b"\n"

        began = time.monotonic()
        assert await ask(streams, line) == line.upper()

        assert time.monotonic() - began >= seconds * 0.99


async def test_silent_link_keeps_connections_and_delivers_once_mended(connect: Connect) -> None:
    async with linked() as (link, shouter):
        streams = await connect(link)
        await ask(streams, b"warm\n")
        link.break_("stall")
        streams[1].write(b"one\n")
        assert await is_silent(streams)
        newcomer = await connect(link)
        newcomer[1].write(b"two\n")
        assert await is_silent(newcomer)
        assert shouter.heard == [b"warm\n"]

        link.mend()

        assert await within(2, streams[0].readline()) == b"ONE\n"
        assert await within(2, newcomer[0].readline()) == b"TWO\n"


async def test_cut_link_resets_and_refuses_until_mended(connect: Connect) -> None:
    async with linked() as (link, _):
        streams = await connect(link)
        await ask(streams, b"warm\n")

        link.break_("cut")

        with pytest.raises(ConnectionResetError):
            await within(2, streams[0].read(1))
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await within(2, (await connect(link))[0].readexactly(1))
        link.mend()
        assert await ask(await connect(link), b"one\n") == b"ONE\n"


async def test_half_closed_link_ends_what_clients_send_and_lets_them_listen(connect: Connect) -> None:
    async with linked() as (link, shouter):
        streams = await connect(link)
        await ask(streams, b"warm\n")

        link.break_("half_close")

        assert await within(2, streams[0].readline()) == b"BYE\n"
        await within(2, shouter.ended.wait())


async def test_deaf_link_carries_the_question_and_loses_the_answer(connect: Connect) -> None:
    async with linked() as (link, shouter):
        streams = await connect(link)
        await ask(streams, b"warm\n")
        link.break_("deaf")

        streams[1].write(b"one\n")

        with pytest.raises(ConnectionResetError):
            await within(2, streams[0].read(1))
        assert shouter.heard == [b"warm\n", b"one\n"]
        assert link.answers_lost == 1
        link.mend()
        assert await ask(await connect(link), b"two\n") == b"TWO\n"


async def test_server_that_is_down_is_a_connection_that_ends(connect: Connect) -> None:
    async with linked() as (link, _):
        pass
    async with Link("test", Place(port=link.server.port)).open() as lonely:
        streams = await connect(lonely)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await within(2, streams[0].readexactly(1))
