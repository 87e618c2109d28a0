"""Browsers: let in once by a link, recognised by a cookie no script can read, and never made to act by another site's page."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from vyomo_gateway.identity.browsers import COOKIE
from vyomo_gateway.link import make_link
from vyomo_ledger.testing import OTHER_USER, USER

if TYPE_CHECKING:
    from conftest import Edge


class Tab:
    """A browser's tab: the client keeps the cookie, the page knows its token."""

    def __init__(self, edge: "Edge", client: httpx.AsyncClient) -> None:
        self.edge = edge
        self.client = client
        self.page_token = ""

    async def open(self, link: str) -> httpx.Response:
        answer = await self.client.post("/api/auth/link", json={"token": link.partition("#token=")[2]})
        if answer.status_code == 200:
            self.page_token = answer.json()["pageToken"]
        return answer

    async def act(self, method: str, path: str, body: object = None, **changes: str | None) -> httpx.Response:
        headers = {"X-Vyomo-Page": self.page_token, "Origin": self.edge.url} | changes
        kept = {name: value for name, value in headers.items() if value is not None}
        return await self.client.request(method, path, json=body, headers=kept)

    @property
    def cookie(self) -> str:
        return f"{COOKIE}={self.client.cookies[COOKIE]}"


async def link_for(edge: "Edge", user: str = USER) -> str:
    return await make_link(edge.postgres_url, url=edge.url, user_id=user)


@pytest_asyncio.fixture
async def tab(edge: "Edge") -> AsyncGenerator[Tab]:
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        opened = Tab(edge, client)
        assert (await opened.open(await link_for(edge))).status_code == 200
        yield opened


def code_of(answer: httpx.Response) -> str:
    return answer.json()["error"]["code"]


async def as_owner(edge: "Edge", statement: str) -> None:
    connection = await asyncpg.connect(edge.postgres_url)
    await connection.execute(statement)
    await connection.close()


async def test_link_lets_one_browser_in_once(edge: "Edge") -> None:
    link = await link_for(edge)
    assert link.startswith(f"{edge.url}/sign-in#token=")
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        first = await Tab(edge, client).open(link)
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        second = await Tab(edge, client).open(link)
        unknown = await Tab(edge, client).open("#token=" + "x" * 43)

    assert first.status_code == 200
    assert first.json()["userId"] == USER
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "SameSite=strict" in first.headers["set-cookie"]
    assert [code_of(second), code_of(unknown)] == ["UNAUTHENTICATED"] * 2
    assert "set-cookie" not in second.headers


async def test_link_grows_old(edge: "Edge") -> None:
    link = await link_for(edge)
    await as_owner(edge, "UPDATE identity.sign_in_links SET expires_at = now()")
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        assert (await Tab(edge, client).open(link)).status_code == 401


async def test_signed_in_browser_reads_and_trades_as_its_user(tab: Tab) -> None:
    accounts = await tab.client.get("/api/brokers/accounts")
    session = await tab.client.get("/api/auth/session")
    placed = await tab.act("POST", f"{tab.edge.account}/orders", tab.edge.order_body())

    assert [each["clientId"] for each in accounts.json()["accounts"]] == ["A1", "A2"]
    assert session.json()["pageToken"] == tab.page_token
    assert placed.status_code == 202
    assert tab.edge.behind.placed[0].principal.key_id == f"browser:{session.json()['sessionId']}"


@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": "https://evil.example"},
        {"Origin": None},
        {"Origin": "null"},
        {"X-Vyomo-Page": None},
        {"X-Vyomo-Page": "guessed"},
    ],
)
async def test_another_sites_page_cannot_act(tab: Tab, changes: dict[str, str | None]) -> None:
    answer = await tab.act("POST", f"{tab.edge.account}/orders", tab.edge.order_body(), **changes)

    assert (answer.status_code, code_of(answer)) == (403, "FOREIGN_PAGE")
    assert tab.edge.behind.placed == []


async def test_websocket_is_for_our_own_page(tab: Tab) -> None:
    url = tab.edge.url.replace("http://", "ws://") + "/ws"
    async with connect(url, additional_headers={"Cookie": tab.cookie}, origin=tab.edge.url) as socket:  # pyright: ignore[reportArgumentType] - any text
        assert '"hello"' in str(await socket.recv())
    for origin in ("https://evil.example", None):
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"Cookie": tab.cookie}, origin=origin)  # pyright: ignore[reportArgumentType]
        assert refused.value.response.status_code == 403


async def test_signing_out_ends_cookie_and_live_connection(tab: Tab) -> None:
    cookie = tab.cookie
    url = tab.edge.url.replace("http://", "ws://") + "/ws"
    socket = await connect(url, additional_headers={"Cookie": cookie}, origin=tab.edge.url)  # pyright: ignore[reportArgumentType]
    assert (await tab.act("POST", "/api/auth/logout")).status_code == 200

    answer = await tab.client.get("/api/brokers/accounts", headers={"Cookie": cookie})
    assert code_of(answer) == "UNAUTHENTICATED"
    async with asyncio.timeout(6):
        await socket.wait_closed()
    assert socket.close_code == 1008


async def test_sessions_are_listed_and_ended_from_elsewhere_by_their_owner_alone(tab: Tab) -> None:
    edge = tab.edge
    sessions = (await tab.client.get("/api/auth/sessions")).json()["sessions"]
    (known,) = [each["sessionId"] for each in sessions]
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        stranger = Tab(edge, client)
        await stranger.open(await link_for(edge, OTHER_USER))
        assert (await stranger.act("DELETE", f"/api/auth/sessions/{known}")).status_code == 200
    assert (await tab.client.get("/api/auth/session")).status_code == 200

    # A key is no browser.
    assert (await edge.client.get("/api/auth/sessions")).status_code == 401
    assert (await edge.client.delete(f"/api/auth/sessions/{known}")).status_code == 401
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        elsewhere = Tab(edge, client)
        await elsewhere.open(await link_for(edge))
        assert (await elsewhere.act("DELETE", f"/api/auth/sessions/{known}")).status_code == 200
    assert (await tab.client.get("/api/auth/session")).status_code == 401


async def test_sessions_that_are_long_over_are_forgotten(tab: Tab) -> None:
    edge = tab.edge
    await as_owner(edge, "UPDATE identity.browser_sessions SET expires_at = now() - interval '31 days'")
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as client:
        await Tab(edge, client).open(await link_for(edge))

    connection = await asyncpg.connect(edge.postgres_url)
    assert await connection.fetchval("SELECT count(*) FROM identity.browser_sessions") == 1
    await connection.close()


@pytest.mark.parametrize("column", ["expires_at = now()", "last_seen_at = now() - interval '31 minutes'"])
async def test_sessions_end_by_themselves(tab: Tab, column: str) -> None:
    await as_owner(tab.edge, f"UPDATE identity.browser_sessions SET {column}")
    await asyncio.sleep(2.1)

    assert (await tab.client.get("/api/brokers/accounts")).status_code == 401


async def test_header_cannot_claim_to_be_a_cookie_and_a_key_beats_a_cookie(tab: Tab) -> None:
    token = tab.client.cookies[COOKIE]
    for header in (f"browser {token}", f"Bearer {token}", f"session {token}"):
        answer = await tab.edge.client.get("/api/brokers/accounts", headers={"Authorization": header})
        assert answer.status_code == 401
    headers: dict[str, Any] = {"Authorization": f"Bearer {tab.edge.other_key}", "Cookie": tab.cookie}
    answer = await tab.edge.client.get("/api/brokers/accounts", headers=headers)
    assert [each["clientId"] for each in answer.json()["accounts"]] == ["B1"]


async def test_only_digests_are_kept(tab: Tab) -> None:
    connection = await asyncpg.connect(tab.edge.postgres_url)
    rows = await connection.fetch("SELECT * FROM identity.browser_sessions")
    await connection.close()

    assert tab.client.cookies[COOKIE] not in str([dict(row) for row in rows])
