"""The system under test: started by `vyomo up` in a folder of its own, asked by HTTP, stopped at the end whatever happens."""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import machine
from .children import run_command
from .errors import BenchError
from .http_client import HttpConnection, Reply, Target

_UP_LIMIT_SECONDS = 180.0
_DOWN_LIMIT_SECONDS = 90.0
_GENERATE_LIMIT_SECONDS = 180.0
_UNHURRIED_BROKER = {"VYOMO_BROKER_ORDERS_PER_SECOND": "1000000", "VYOMO_MAX_WAITING_ORDERS": "1000000"}
"""The scripted broker of the live-shaped path takes orders faster than a real one would, and a run measures queues, not refusals."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Connections:
    nats_url: str
    postgres_url: str


class System:
    def __init__(self, state: Path, environment: Mapping[str, str] | None = None) -> None:
        self._state = state
        # A scripted broker stands in for Zerodha: the real worker must not claim its orders.
        self._environment = {**_UNHURRIED_BROKER, "VYOMO_BROKER_WORKERS": "none", **(environment or {})}
        self._port = free_port()
        self.target = Target("127.0.0.1", self._port)

    async def up(self) -> float:
        """Seconds until everything was ready."""
        began = time.perf_counter()
        await self._vyomo("up", "--detach", "--port", str(self._port), limit_seconds=_UP_LIMIT_SECONDS)
        took = time.perf_counter() - began
        status = await self.status()
        port = int(status["ports"]["http"])
        self.target = Target("127.0.0.1", port, (await self._vyomo("key", limit_seconds=30)).strip())
        return took

    async def down(self) -> None:
        await self._vyomo("down", limit_seconds=_DOWN_LIMIT_SECONDS, apart=True)

    async def status(self) -> dict[str, Any]:
        return json.loads(await self._vyomo("status", "--json", limit_seconds=30))

    def connections(self) -> Connections:
        told = json.loads((self._state / "connections.json").read_text())
        return Connections(told["nats_url"], told["postgres_url"])

    async def load_instruments(self, count: int) -> None:
        await run_command(
            sys.executable,
            *("-m", "vyomo_paper_exchange.generate"),
            *("--count", str(count), "--postgres", self.connections().postgres_url),
            limit_seconds=_GENERATE_LIMIT_SECONDS,
        )

    async def processes(self) -> dict[str, list[int]]:
        """Process ids by service, children included; `supervisor` is what is left."""
        status = await self.status()
        by_service = {
            service["name"]: machine.descendants(service["pid"])
            for service in status["services"]
            if service["pid"]
        }
        record = json.loads((self._state / "supervisor.process").read_text())
        known = {pid for pids in by_service.values() for pid in pids}
        by_service["supervisor"] = [pid for pid in machine.descendants(record["pid"]) if pid not in known]
        return by_service

    async def _vyomo(self, *words: str, limit_seconds: float, apart: bool = False) -> str:
        command = (sys.executable, "-m", "vyomo_local", *words, "--state", str(self._state))
        return await run_command(
            *command, limit_seconds=limit_seconds, apart=apart, environment=self._environment
        )


class Api:
    """Calls of the REST API, one after the other, for setting up."""

    def __init__(self, target: Target, connection: HttpConnection) -> None:
        self._target = target
        self._connection = connection

    @classmethod
    async def open(cls, target: Target) -> "Api":
        return cls(target, await HttpConnection.open(target))

    def close(self) -> None:
        self._connection.close()

    async def create_account(self, client_id: str) -> int:
        """A paper account that takes orders at any rate: by default it is as slow as a real broker."""
        body = {"broker": "paper", "clientId": client_id, "initialCapital": "unlimited"}
        account = await self._create(body)
        reply = await self.call(
            "PUT", f"/api/risk/limits?accountId={account}", {"ordersPerSecond": 1_000_000}
        )
        _expect(reply, 200)
        return account

    async def create_live_account(self, client_id: str, credential: str = "bench") -> int:
        """An account whose orders take the way of a real broker's."""
        secrets = {"apiKey": credential, "apiSecret": credential}
        return await self._create({"broker": "zerodha", "clientId": client_id, **secrets})

    async def create_angel_account(self, client_id: str, credential: str = "bench") -> int:
        return await self._create(
            {
                "broker": "angel",
                "clientId": client_id,
                "apiKey": credential,
                "password": "0000",
                "totpSecret": "JBSWY3DPEHPK3PXP",
            }
        )

    async def _create(self, body: dict[str, Any]) -> int:
        reply = await self.call("POST", "/api/brokers/accounts", body)
        return int(_expect(reply, 200, 201)["account"]["id"])

    async def place(self, account_id: int, symbol: str) -> str:
        reply = await self.call("POST", orders_path(account_id), market_order(symbol))
        return str(_expect(reply, 202)["order"]["orderId"])

    async def get(self, path: str) -> dict[str, Any]:
        return _expect(await self.call("GET", path), 200)

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        return await self._connection.ask(self._target.request(method, path, body))


def orders_path(account_id: int) -> str:
    return f"/api/brokers/accounts/{account_id}/orders"


def market_order(symbol: str, side: str = "BUY") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "exchange": "NSE",
        "transactionType": side,
        "orderType": "MARKET",
        "quantity": 1,
        "product": "MIS",
        "validity": "DAY",
    }


def own_process() -> list[int]:
    return machine.descendants(os.getpid())


def _expect(reply: Reply, *statuses: int) -> dict[str, Any]:
    if reply.status not in statuses:
        raise BenchError(f"unexpected answer {reply.status}: {reply.body[:500].decode(errors='replace')}")
    return reply.json()
