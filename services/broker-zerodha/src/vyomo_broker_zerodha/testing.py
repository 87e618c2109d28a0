"""For tests: an open session, a row of Kite's order book, and a server on loopback that says what it is told and keeps what it was asked."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from vyomo_broker_kit.access import Access, Tokens
from vyomo_broker_kit.port import SessionOverError
from vyomo_contracts.testing import NOON
from vyomo_contracts.vocabulary import Environment

ROW: dict[str, Any] = {
    "order_id": "2603020000000000001",
    "exchange_order_id": None,
    "status": "OPEN",
    "status_message": None,
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "order_type": "LIMIT",
    "product": "MIS",
    "validity": "DAY",
    "quantity": 10,
    "filled_quantity": 0,
    "price": Decimal("250.5"),
    "trigger_price": 0,
    "average_price": 0,
    "tag": "T1",
    "order_timestamp": "2026-03-02 12:00:00",
    "exchange_update_timestamp": "2026-03-02 12:00:01",
    "a_column_of_tomorrow": {"x": 1},
}


class SignedIn:
    """The account's session, until a test ends it."""

    def __init__(self) -> None:
        self.is_over = False

    async def of_account(self, account_id: int) -> Access:
        if self.is_over:
            raise SessionOverError("nobody is signed in")
        return Access(
            account_id=account_id,
            environment=Environment.LIVE,
            client_id="AB1234",
            api_key=SecretStr("key"),
            tokens=Tokens(access_token=SecretStr("token"), valid_until=NOON + timedelta(hours=8)),
        )


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class KiteServer:
    """`answers` are said one after the other, the last one again and again. None closes the connection without a word."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    answers: list[tuple[int, bytes] | None] = field(default_factory=list[tuple[int, bytes] | None])
    silent: bool = False

    def say(self, status: int, body: object) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers = [(status, text)]

    def succeed(self, data: object) -> None:
        self.say(200, {"status": "success", "data": data})

    def fail(self, status: int, error_type: str, message: str) -> None:
        self.say(status, {"status": "error", "message": message, "error_type": error_type, "data": None})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(method, path, headers, dict(parse_qsl(body.decode()))))
                if self.silent:
                    await asyncio.sleep(5)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                status, text = answer
                location = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
                writer.write(
                    f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{location}"
                    f"Content-Length: {len(text)}\r\n\r\n".encode()
                    + text
                )
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def kite_server() -> AsyncGenerator[KiteServer]:
    kite = KiteServer()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await kite.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    kite.url = f"http://{host}:{port}"
    try:
        yield kite
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
