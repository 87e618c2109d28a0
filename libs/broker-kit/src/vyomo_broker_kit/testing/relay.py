"""A relay on loopback as a user would run one: HTTP CONNECT or SOCKS5, with or without a password, and with bad days. For tests."""

import asyncio
import base64
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from vyomo_broker_kit.testing.parrot import listening

_VERSION: Final = 5
_BY_NAME: Final = 3
_NO_PASSWORD, _PASSWORD, _NONE_GOOD = 0, 2, 255


@dataclass
class Relay:
    """Leads every name to `port` on loopback, as if it were the broker's host."""

    kind: Literal["http", "socks5"]
    port: int
    credentials: tuple[str, str] | None = None
    url: str = ""
    asked: list[str] = field(default_factory=list[str])
    """`host:port` of each connection that was let through."""
    is_hung: bool = False
    breaks_after: int | None = None
    """Bytes towards the broker after which the relay falls over."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.is_hung:
                await asyncio.sleep(30)
            ask = self._connect if self.kind == "http" else self._socks
            target = await ask(reader, writer)
            if target is not None:
                self.asked.append(target)
                await self._join(reader, writer)
        writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        wanted = self.credentials and base64.b64encode(":".join(self.credentials).encode()).decode()
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return None
        if wanted and f"proxy-authorization: basic {wanted}".lower() not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return None
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return target

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        """RFC 1928 and 1929."""
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        method = _NO_PASSWORD if self.credentials is None else _PASSWORD
        if method not in offered:
            writer.write(bytes([_VERSION, _NONE_GOOD]))
            return None
        writer.write(bytes([_VERSION, method]))
        if self.credentials is not None:
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            (length,) = await reader.readexactly(1)
            password = await reader.readexactly(length)
            is_good = (user.decode(), password.decode()) == self.credentials
            writer.write(bytes([1, 0 if is_good else 1]))
            if not is_good:
                return None
        *_, kind = await reader.readexactly(4)
        if kind == _BY_NAME:
            (length,) = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode()
        else:
            host = ".".join(map(str, await reader.readexactly(4)))
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        writer.write(bytes([_VERSION, 0, 0, 1]) + bytes(6))
        return f"{host}:{port}"

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)

        async def answers() -> None:
            while data := await there.read(65_536):
                writer.write(data)
            writer.close()

        answering = asyncio.create_task(answers())
        passed = 0
        try:
            while data := await reader.read(65_536):
                passed += len(data)
                back.write(data)
                if self.breaks_after is not None and passed > self.breaks_after:
                    await back.drain()
                    break
        finally:
            answering.cancel()
            for each in (back, writer):
                each.close()
                with suppress(ConnectionError):
                    await each.wait_closed()


@asynccontextmanager
async def relaying(relay: Relay) -> AsyncGenerator[Relay]:
    async with listening(relay.serve) as port:
        relay.url = f"{relay.kind}://127.0.0.1:{port}"
        yield relay
