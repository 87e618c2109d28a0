"""A TCP proxy of our own in front of a server: what a network does to those who speak through it, without touching the network.

One `Link` is one way from some processes to one server. While it is broken, bytes are kept or lost as a real network would: a
silent link keeps them until it is mended (TCP resends), a cut one ends every connection.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Trouble = Literal["delay", "stall", "cut", "half_close", "throttle", "deaf"]
"""delay: each piece arrives later. stall: nothing passes, connections stay and new ones are not answered. cut: every connection is
reset and new ones are refused. half_close: the server hears that clients are done, they may still listen. throttle: few bytes a
second. deaf: what clients send arrives, what the server answers is lost, and then the connection is."""

TROUBLES: Final[tuple[Trouble, ...]] = ("delay", "stall", "cut", "half_close", "throttle", "deaf")
DELAY_SECONDS: Final = 0.5
BYTES_A_SECOND: Final = 20_000
_PIECE: Final = 65_536
_CONNECT_SECONDS: Final = 2.0
_AT_ONCE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is: a port of this machine, or a Unix socket."""

    port: int = 0
    socket: Path | None = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(_CONNECT_SECONDS):
            if self.socket is not None:
                return await asyncio.open_unix_connection(self.socket)
            return await asyncio.open_connection("127.0.0.1", self.port)


@dataclass(eq=False)
class _Pair:
    """A client's connection and ours to the server for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.server)

    def close(self) -> None:
        self.client.close()
        self.server.close()


@dataclass
class Link:
    name: str
    server: Place
    port: int = 0
    """Where clients connect; known once it is `open`."""
    trouble: Trouble | None = None
    answers_lost: int = 0
    """Connections whose server answered something that a `deaf` link lost."""
    _pairs: set[_Pair] = field(default_factory=set[_Pair])
    _conversations: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])
    _passing: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Link"]:
        self._passing.set()
        listening = await asyncio.start_server(self._converse, "127.0.0.1", self.port)
        self.port = listening.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listening.close()
            self.mend()
            self._reset_all()
            for task in self._conversations:
                task.cancel()
            await asyncio.gather(*self._conversations, return_exceptions=True)

    def break_(self, trouble: Trouble) -> None:
        self.trouble = trouble
        match trouble:
            case "stall":
                self._passing.clear()
            case "cut":
                self._reset_all()
            case "half_close":
                for pair in self._pairs:
                    with suppress(OSError):
                        pair.server.write_eof()
            case _:
                pass

    def mend(self) -> None:
        """Whatever a silent link held back arrives now."""
        if self.trouble == "half_close":
            self._reset_all()
        self.trouble = None
        self._passing.set()

    def _reset_all(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        try:
            if self.trouble == "cut":
                _reset(writer)
                return
            await self._passing.wait()
            with suppress(OSError):  # the server is down: so is the connection
                await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass  # the link is closed
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        answers, server = await self.server.connect()
        pair = _Pair(client, server)
        self._pairs.add(pair)
        there = asyncio.create_task(self._pump(reader, server, pair, is_answer=False))
        back = asyncio.create_task(self._pump(answers, client, pair, is_answer=True))
        try:
            # Whoever is done sending may still listen; once the server is done, or either way broke, both are.
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._pairs.discard(pair)
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            pair.close()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, pair: _Pair, *, is_answer: bool
    ) -> None:
        while piece := await source.read(_PIECE):
            await self._passing.wait()
            match self.trouble:
                case "delay":
                    await asyncio.sleep(DELAY_SECONDS)
                case "throttle":
                    await asyncio.sleep(len(piece) / BYTES_A_SECOND)
                case "deaf" if is_answer:
                    self.answers_lost += 1
                    pair.reset()
                    return
                case "cut":
                    return
                case _:
                    pass
            target.write(piece)
            await target.drain()
        with suppress(OSError):
            target.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection at once; a peer that is not done hears of a reset, not of a proper end."""
    socket_ = writer.get_extra_info("socket")
    if socket_ is not None and not writer.transport.is_closing():
        with suppress(OSError):
            socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()
