"""For tests: an open session, a row of Kite's order book, and a server that wraps its words as Kite does."""

import asyncio
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from vyomo_broker_kit.access import Access, Tokens
from vyomo_broker_kit.port import SessionOverError
from vyomo_broker_kit.testing.parrot import Asked, Parrot
from vyomo_broker_zerodha import mapping
from vyomo_contracts.testing import NOON
from vyomo_contracts.vocabulary import Environment
from vyomo_service_kit.clock import SystemClock

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


class KiteServer(Parrot):
    def succeed(self, data: object) -> None:
        self.say(200, {"status": "success", "data": data})

    def fail(self, status: int, error_type: str, message: str) -> None:
        self.say(status, {"status": "error", "message": message, "error_type": error_type, "data": None})


@dataclass
class TinyKite(Parrot):
    """Enough of Kite for a worker's life: logins, orders that fill at their price at once, and the books."""

    api_key: str = ""
    api_secret: str = ""
    user_id: str = "AB1234"
    request_tokens: set[str] = field(default_factory=set[str])
    issued_request_tokens: list[str] = field(default_factory=list[str])
    access_tokens: list[str] = field(default_factory=list[str])
    """Issued; the last one is good, until `end_sessions`."""
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    nonsense: bytes | None = None
    """Said to whatever is asked."""
    held: int = 0
    """Readings that wait for `let_go`."""

    def __post_init__(self) -> None:
        self._is_over = True
        self._going = asyncio.Event()
        self._going.set()
        self._issued = 0

    def request_token(self) -> str:
        """What the browser would bring back."""
        self._issued += 1
        token = f"request-token-{self._issued}"
        self.request_tokens.add(token)
        self.issued_request_tokens.append(token)
        return token

    def end_sessions(self) -> None:
        self._is_over = True

    def hold_reads(self) -> None:
        self._going.clear()

    def let_go(self) -> None:
        self._going.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked = await self.read(reader)
                status, body = await self._answer(asked)
                text = body if isinstance(body, bytes) else json.dumps(body, default=str).encode()
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
                await writer.drain()
        writer.close()

    async def _answer(self, asked: Asked) -> tuple[int, object]:
        if self.nonsense is not None:
            return 502, self.nonsense
        if asked.path == "/session/token":
            return self._sign_in(asked.form)
        # Judged as it arrives, answered when it may: a refusal can overtake nothing and be overtaken by a new login.
        is_good = not self._is_over and asked.headers.get("authorization") == (
            f"token {self.api_key}:{self.access_tokens[-1] if self.access_tokens else ''}"
        )
        if asked.method == "GET" and not self._going.is_set():
            self.held += 1
            await self._going.wait()
            is_good = False
        if not is_good:
            return 403, _error("TokenException", "Incorrect `api_key` or `access_token`.")
        return 200, {"status": "success", "data": self._data(asked)}

    def _sign_in(self, form: dict[str, str]) -> tuple[int, object]:
        token = form["request_token"]
        expected = hashlib.sha256(f"{self.api_key}{token}{self.api_secret}".encode()).hexdigest()
        if token not in self.request_tokens or form["checksum"] != expected:
            return 403, _error("TokenException", "Token is invalid or has expired.")
        self.request_tokens.discard(token)
        self.access_tokens.append(f"access-token-{len(self.access_tokens)}")
        self._is_over = False
        return 200, {
            "status": "success",
            "data": {"user_id": self.user_id, "access_token": self.access_tokens[-1]},
        }

    def _data(self, asked: Asked) -> object:
        if asked.method == "POST":
            form = asked.form
            row = ROW | {
                "order_id": f"26030200000000{len(self.orders):04d}",
                "status": "COMPLETE",
                "filled_quantity": int(form["quantity"]),
                "quantity": int(form["quantity"]),
                "price": form.get("price", "0"),
                "average_price": form.get("price", "100"),
                "tag": form["tag"],
                "order_timestamp": f"{SystemClock().now().astimezone(mapping.INDIA):%Y-%m-%d %H:%M:%S}",
                "exchange_update_timestamp": None,
                "tradingsymbol": form["tradingsymbol"],
                "transaction_type": form["transaction_type"],
            }
            self.orders.append(row)
            return {"order_id": row["order_id"]}
        if asked.path == "/orders":
            return self.orders
        if asked.path == "/trades":
            return [
                {
                    "trade_id": row["order_id"],
                    "order_id": row["order_id"],
                    "tradingsymbol": row["tradingsymbol"],
                    "transaction_type": row["transaction_type"],
                    "quantity": row["quantity"],
                    "average_price": row["average_price"],
                    "fill_timestamp": row["order_timestamp"],
                }
                for row in self.orders
            ]
        if asked.path == "/portfolio/positions":
            held = sum(row["quantity"] for row in self.orders)
            row = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "product": "MIS", "quantity": held}
            return {"net": [row] if held else [], "day": []}
        return {"equity": {"net": 100000, "available": {"live_balance": 100000}, "utilised": {"debits": 0}}}


def _error(kind: str, message: str) -> dict[str, object]:
    return {"status": "error", "message": message, "error_type": kind, "data": None}
