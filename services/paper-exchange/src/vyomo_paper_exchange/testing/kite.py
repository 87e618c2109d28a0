"""For tests of the Kite door: an account that may come in, and calls as any HTTP client makes them."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from vyomo_paper_exchange.doors.logins import Profile
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_paper_exchange.testing.doors import ADMIN_KEY, door_venue, give_login, kite_server
from vyomo_paper_exchange.testing.venue import Venue

API_KEY = "kitekey0123456789"
API_SECRET = "kitesecret0123456789"  # noqa: S105 - of a test
REDIRECT = "http://127.0.0.1:1/callback?app=1"


@dataclass
class KiteWorld:
    venue: Venue
    doors: DoorVenue
    root: str
    client: httpx.AsyncClient
    access_token: str = ""

    @property
    def ws_root(self) -> str:
        return self.root.replace("http", "ws", 1)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {API_KEY}:{self.access_token}", "X-Kite-Version": "3"}

    async def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=self.headers, **arguments)

    async def data(self, method: str, path: str, **arguments: Any) -> Any:
        """Of a call that succeeds."""
        answer = await self.call(method, path, **arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def refused(self, method: str, path: str, **arguments: Any) -> tuple[int, str, str]:
        """Status, error type and message of one that does not."""
        answer = await self.call(method, path, **arguments)
        body = answer.json()
        assert body["status"] == "error", answer.text
        assert body["data"] is None
        return answer.status_code, body["error_type"], body["message"]

    async def place(self, **changes: Any) -> str:
        placed: str = (await self.data("POST", "/orders/regular", data=ORDER | changes))["order_id"]
        return placed

    async def order(self, order_id: str) -> dict[str, Any]:
        return next(row for row in await self.data("GET", "/orders") if row["order_id"] == order_id)

    async def request_token(self) -> str:
        answer = await self.client.post(
            "/connect/login", data={"v": "3", "api_key": API_KEY}, headers={"Accept": "application/json"}
        )
        token: str = answer.json()["data"]["request_token"]
        return token

    async def session(self, request_token: str, secret: str = API_SECRET) -> httpx.Response:
        checksum = hashlib.sha256(f"{API_KEY}{request_token}{secret}".encode()).hexdigest()
        form = {"api_key": API_KEY, "request_token": request_token, "checksum": checksum}
        return await self.client.post("/session/token", data=form)

    async def sign_in(self) -> None:
        answer = await self.session(await self.request_token())
        self.access_token = answer.json()["data"]["access_token"]

    async def ask_for(self, action: str, method: str = "POST", **fields: Any) -> httpx.Response:
        """Of the fault injection."""
        headers = {"X-Vyomo-Door-Key": ADMIN_KEY}
        return await self.client.request(method, f"/_vyomo/{action}", json=fields or None, headers=headers)


ORDER = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "order_type": "MARKET",
    "product": "MIS",
    "quantity": "10",
    "market_protection": "-1",
    "validity": "DAY",
}


@asynccontextmanager
async def kite_world(
    venue: Venue, database_url: str, *, profile: Profile = "strict_2026", has_limits: bool = False
) -> AsyncGenerator[KiteWorld]:
    give_login(
        database_url,
        venue.record.account,
        "kite",
        {"apiKey": API_KEY, "apiSecret": API_SECRET},
        profile=profile,
        redirect_url=REDIRECT,
    )
    async with (
        door_venue(venue) as doors,
        kite_server(doors, has_limits=has_limits) as root,
        httpx.AsyncClient(base_url=root, timeout=10, trust_env=False) as client,
    ):
        world = KiteWorld(venue, doors, root, client)
        await world.sign_in()
        yield world
