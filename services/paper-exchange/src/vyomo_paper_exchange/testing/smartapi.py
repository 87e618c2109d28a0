"""For tests of the SmartAPI door: an account that may come in, and calls as any HTTP client makes them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from pyotp.totp import TOTP

from vyomo_paper_exchange.doors.logins import Profile
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_paper_exchange.testing.doors import ADMIN_KEY, door_venue, give_login, smartapi_server
from vyomo_paper_exchange.testing.venue import Venue

API_KEY = "angelkey"
PIN = "2468"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of a test
SECURE: Final = "/rest/secure/angelbroking"
AUTH: Final = "/rest/auth/angelbroking"
RELIANCE: Final = {"exchange": "NSE", "tradingsymbol": "RELIANCE-EQ", "symboltoken": "2885"}
ORDER: Final = {
    **RELIANCE,
    "variety": "NORMAL",
    "transactiontype": "BUY",
    "ordertype": "LIMIT",
    "producttype": "INTRADAY",
    "duration": "DAY",
    "quantity": "10",
}


@dataclass
class SmartWorld:
    venue: Venue
    doors: DoorVenue
    root: str
    client: httpx.AsyncClient
    client_code: str
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def ws_root(self) -> str:
        return self.root.replace("http", "ws", 1)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.get('jwtToken', '')}", "X-PrivateKey": API_KEY}

    def totp(self, secret: str = TOTP_SECRET) -> str:
        return TOTP(secret).at(self.venue.clock.now())

    async def log_in(self, headers: dict[str, str] | None = None, **changes: str) -> httpx.Response:
        body = {"clientcode": self.client_code, "password": PIN, "totp": self.totp()} | changes
        given = {"X-PrivateKey": API_KEY} if headers is None else headers
        return await self.client.post(f"{AUTH}/user/v1/loginByPassword", json=body, headers=given)

    async def sign_in(self) -> None:
        self.tokens = (await self.log_in()).json()["data"]

    async def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.client.request(method, f"{SECURE}{path}", headers=self.headers, json=body)

    async def data(self, method: str, path: str, body: object = None) -> Any:
        """Of a call that succeeds."""
        answer = await self.call(method, path, body)
        document = answer.json()
        assert (answer.status_code, document.get("status")) == (200, True), answer.text
        assert document["message"] == "SUCCESS"
        return document["data"]

    async def refused(self, path: str, body: object = None, method: str = "POST") -> tuple[int, str]:
        """Status and code of one that does not, in whichever envelope."""
        answer = await self.call(method, path, body)
        document = answer.json()
        if "success" in document:
            assert (document["success"], document["data"]) == (False, "")
            return answer.status_code, document["errorCode"]
        assert (document["status"], document["data"]) == (False, None), answer.text
        return answer.status_code, document["errorcode"]

    async def last_price(self) -> float:
        found: float = (await self.data("POST", "/order/v1/getLtpData", RELIANCE))["ltp"]
        return found

    async def place(self, **changes: str) -> dict[str, str]:
        """By default an order that trades at once."""
        body: dict[str, str] = ORDER | changes
        if "price" not in body and body["ordertype"] == "LIMIT":
            side = 1.01 if body["transactiontype"] == "BUY" else 0.99
            body["price"] = f"{await self.last_price() * side:.1f}"
        placed: dict[str, str] = await self.data("POST", "/order/v1/placeOrder", body)
        return placed

    async def order(self, order_id: str) -> dict[str, Any]:
        book = await self.data("GET", "/order/v1/getOrderBook")
        return next(row for row in book if row["orderid"] == order_id)

    async def ask_for(self, action: str, method: str = "POST", **fields: Any) -> httpx.Response:
        """Of the fault injection."""
        headers = {"X-Vyomo-Door-Key": ADMIN_KEY}
        return await self.client.request(method, f"/_vyomo/{action}", json=fields or None, headers=headers)


@asynccontextmanager
async def smartapi_world(
    venue: Venue, database_url: str, *, profile: Profile = "strict_2026", has_limits: bool = False
) -> AsyncGenerator[SmartWorld]:
    account = venue.record.account
    secrets = {"apiKey": API_KEY, "pin": PIN, "totpSecret": TOTP_SECRET}
    give_login(database_url, account, "smartapi", secrets, profile=profile)  # type: ignore[arg-type]
    async with (
        door_venue(venue) as doors,
        smartapi_server(doors, has_limits=has_limits) as root,
        httpx.AsyncClient(base_url=root, timeout=10, trust_env=False) as client,
    ):
        code = await client_code_of(venue, account)
        world = SmartWorld(venue, doors, root, client, code)
        await world.sign_in()
        yield world


async def client_code_of(venue: Venue, account: int) -> str:
    async with venue.database.connection() as connection:
        row = await connection.fetchrow(
            "SELECT client_id FROM accounts.broker_accounts WHERE id = $1", account
        )
    assert row is not None
    code: str = row["client_id"]
    return code
