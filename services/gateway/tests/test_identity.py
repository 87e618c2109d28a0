"""Who may call what: every route, without a key, with a wrong one, with one that only reads, and as another user."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from nats.aio.msg import Msg
from pydantic import ValidationError
from sqlalchemy import select
from websockets.exceptions import InvalidStatus

from vyomo_contracts import subjects
from vyomo_contracts.messages import Principal
from vyomo_contracts.risk_commands import RiskReplies
from vyomo_gateway import app as application
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.identity.guard import PUBLIC_PATHS
from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.provision import main, provision
from vyomo_gateway.reading import Records, Statement
from vyomo_gateway.settings import GatewaySettings
from vyomo_ledger.tables import broker_accounts
from vyomo_ledger.testing import USER
from vyomo_service_kit.database import open_database
from vyomo_service_kit.sealing import PEPPER_FILE, ensure_keys
from vyomo_service_kit.testing.waiting import eventually

if TYPE_CHECKING:
    from conftest import Edge

READING = "GET"

# Every route of the application needs a row: what another user with the right scopes is told.
OTHER_USER: dict[tuple[str, str], int] = {
    ("GET", "/api/auth/session"): 401,  # about a browser, and this is a key
    ("POST", "/api/auth/logout"): 401,
    ("GET", "/api/auth/sessions"): 401,
    ("DELETE", "/api/auth/sessions/{sessionId}"): 401,
    ("GET", "/api/brokers/capabilities"): 200,
    ("GET", "/api/brokers/accounts"): 200,
    ("POST", "/api/brokers/accounts"): 201,
    ("GET", "/api/brokers/accounts/{accountId}"): 404,
    ("PATCH", "/api/brokers/accounts/{accountId}"): 404,
    ("DELETE", "/api/brokers/accounts/{accountId}"): 404,
    ("PUT", "/api/brokers/accounts/{accountId}/egress"): 404,
    ("DELETE", "/api/brokers/accounts/{accountId}/egress"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/login"): 404,
    ("POST", "/api/brokers/accounts/{accountId}/login"): 404,
    ("POST", "/api/brokers/accounts/{accountId}/sandbox"): 404,
    ("POST", "/api/brokers/accounts/{accountId}/orders"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/orders"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/orders/{orderId}"): 404,
    ("PATCH", "/api/brokers/accounts/{accountId}/orders/{orderId}"): 404,
    ("DELETE", "/api/brokers/accounts/{accountId}/orders/{orderId}"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/orders/{orderId}/events"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/trades"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/positions"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/holdings"): 404,
    ("GET", "/api/brokers/accounts/{accountId}/margins"): 404,
    ("POST", "/api/brokers/accounts/{accountId}/sync/{sessionId}"): 404,
    ("GET", "/api/instruments"): 200,
    ("GET", "/api/instruments/masters"): 200,
    ("GET", "/api/instruments/{exchange}/{symbol}/candles"): 200,
    ("GET", "/api/quotes"): 200,
    ("GET", "/api/events"): 200,
    ("GET", "/api/audit/events"): 200,
    ("GET", "/api/audit/events.csv"): 200,
    ("GET", "/api/risk/limits"): 404,
    ("PUT", "/api/risk/limits"): 404,
    ("GET", "/api/risk/state"): 200,
    ("POST", "/api/risk/kill"): 404,
    ("POST", "/api/risk/exit-all"): 404,
}
# About a browser, whatever key asks.
OF_BROWSERS = {"/api/auth/session", "/api/auth/sessions"}
# Begins something that only those who may trade can finish.
BEGINS: set[tuple[str, str]] = {("GET", "/api/brokers/accounts/{accountId}/login")}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/brokers/accounts"): {"broker": "paper", "clientId": "NEW"},
    ("PATCH", "/api/brokers/accounts/{accountId}"): {"isActive": True},
    ("PUT", "/api/brokers/accounts/{accountId}/egress"): {"sourceAddress": "203.0.113.5"},
    ("PATCH", "/api/brokers/accounts/{accountId}/orders/{orderId}"): {"quantity": 5},
    ("POST", "/api/brokers/accounts/{accountId}/sandbox"): {"protocol": "kite"},
    ("PUT", "/api/risk/limits"): {"maxOpenOrders": 5},
    ("POST", "/api/risk/kill"): {"scope": "account", "id": 1, "state": "HALTED", "reason": "drill"},
    ("POST", "/api/risk/exit-all"): {"accountId": 1, "key": "k"},
}


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    document = app.openapi()
    for path, operations in document["paths"].items():
        if path not in PUBLIC_PATHS:
            for method in operations:
                yield method.upper(), path


async def ask(
    edge: "Edge", method: str, path: str, key: str | None, order_id: str = "PAPER_1"
) -> httpx.Response:
    body = BODIES.get((method, path))
    if path.endswith("/orders") and method == "POST":
        body = edge.order_body()
    concrete = path.format(
        accountId=edge.world.account,
        orderId=order_id,
        exchange="NSE",
        symbol="RELIANCE",
        sessionId="3f9a1c0e5b7d2468" if "/auth/" in path else 7,
    )
    queries = {
        "/api/quotes": {"i": "NSE:RELIANCE"},
        "/api/instruments/{exchange}/{symbol}/candles": {"interval": "1m"},
        "/api/risk/limits": {"accountId": str(edge.world.account)},
    }
    query = queries.get(path)
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    # Made by hand, so that the client's own key does not come along.
    request = httpx.Request(method, edge.url + concrete, json=body, params=query, headers=headers)
    return await edge.client.send(request)


def plain_app() -> FastAPI:
    return application.create_app(services=None)  # pyright: ignore[reportArgumentType] - only its routes are looked at


def test_every_route_has_a_row():
    app = plain_app()

    assert set(routes(app)) == set(OTHER_USER)


@pytest.fixture
async def risk_answers(edge: "Edge") -> None:
    """In the router's place: an account is its user's, or not there."""

    async def answer(message: Msg) -> None:
        [item] = json.loads(message.data)["items"]
        named = item.get("account_id") or item.get("scope_id")
        if named and item["principal"]["user_id"] != USER:
            reply: dict[str, Any] = {"problem": {"code": "ACCOUNT_NOT_FOUND", "message": "no"}}
        elif message.subject == subjects.EXIT_ALL:
            reply = {}
        else:
            reply = {"risk": {"limits": {}, "effective": {}}}
        head = edge.behind.reply_head(RiskReplies) | {"time": "2026-02-12T08:00:00Z", "items": [reply]}
        await message.respond(json.dumps(head).encode())

    for subject in (
        subjects.READ_RISK,
        subjects.SET_RISK_LIMITS,
        subjects.SWITCH_TRADING,
        subjects.EXIT_ALL,
    ):
        await edge.world.bus.client.subscribe(subject, cb=answer)
    await edge.world.bus.client.flush()


@pytest.mark.usefixtures("risk_answers")
async def test_the_matrix_of_routes_and_keys(edge: "Edge"):
    order_id = (await edge.place())["orderId"]
    wrong_secret = edge.key[:-1] + ("A" if edge.key[-1] != "A" else "B")
    for (method, path), other_status in OTHER_USER.items():
        where = f"{method} {path}"
        for key in (None, "nonsense", ApiKey.generate().text, wrong_secret, edge.key + "x"):
            response = await ask(edge, method, path, key)
            assert response.status_code == 401, where
            assert response.json()["error"]["code"] == "UNAUTHENTICATED"
            assert response.headers["www-authenticate"] == "Bearer"

        reading = await ask(edge, method, path, edge.read_key)
        if method == READING and path in OF_BROWSERS:
            assert reading.status_code == 401, where
        elif method == READING and (method, path) not in BEGINS:
            assert reading.status_code in {200, 404}, where
        else:
            assert reading.status_code == 403, where
            assert reading.json()["error"]["code"] == "SCOPE_MISSING"

        other = await ask(edge, method, path, edge.other_key, order_id)
        assert other.status_code == other_status, where


async def test_another_users_lists_are_their_own(edge: "Edge"):
    await edge.place()

    accounts = await ask(edge, "GET", "/api/brokers/accounts", edge.other_key)

    assert [account["clientId"] for account in accounts.json()["accounts"]] == ["B1"]


async def test_the_websocket_wants_a_valid_key(edge: "Edge"):
    for key, status in (("nonsense", 401), (ApiKey.generate().text, 401)):
        with pytest.raises(InvalidStatus) as refused:
            await edge.connect(key=key)
        assert refused.value.response.status_code == status

    await edge.connect(key=edge.read_key)


async def test_a_revoked_and_an_expired_key_are_refused_within_seconds(edge: "Edge"):
    assert (await ask(edge, "GET", "/api/events", edge.key)).status_code == 200
    socket = await edge.connect()
    connection = await asyncpg.connect(edge.postgres_url, server_settings={"role": "vyomo_gateway"})
    revoke = "UPDATE identity.api_keys SET revoked_at = now() WHERE key_id = $1"
    expire = "UPDATE identity.api_keys SET expires_at = now() WHERE key_id = $1"
    await connection.execute(revoke, edge.key[8:16])
    await connection.execute(expire, edge.read_key[8:16])
    await connection.close()
    await asyncio.sleep(2.1)

    assert (await ask(edge, "GET", "/api/events", edge.key)).status_code == 401
    assert (await ask(edge, "GET", "/api/events", edge.read_key)).status_code == 401
    await asyncio.wait_for(socket.wait_closed(), 6)
    assert socket.close_code == 1008


async def test_a_foreign_user_id_is_refused_however_it_is_written(edge: "Edge"):
    for query in ("userId=bela", "%75serId=bela", "limit=1&user%49d=bela", "userId=asha&userId=bela"):
        response = await edge.client.get(f"/api/brokers/accounts?{query}")
        assert response.status_code == 403, query
        assert response.json()["error"]["code"] == "USER_MISMATCH"
    for query in ("%75serId=asha", "userId=asha", ""):
        assert (await edge.client.get(f"/api/brokers/accounts?{query}")).status_code == 200, query
    other = await edge.client.get("/api/brokers/accounts?userid=bela")
    assert (other.status_code, other.json()["error"]["field"]) == (422, "userid")


async def test_only_the_whole_key_counts_as_its_use(edge: "Edge"):
    async def last_used() -> Any:
        connection = await asyncpg.connect(edge.postgres_url, server_settings={"role": "vyomo_gateway"})
        at = await connection.fetchval(
            "SELECT last_used_at FROM identity.api_keys WHERE key_id = $1", edge.read_key[8:16]
        )
        await connection.close()
        return at

    public_part_only = edge.read_key[:17] + "A" * 43
    assert (await ask(edge, "GET", "/api/events", public_part_only)).status_code == 401
    assert await last_used() is None
    assert (await ask(edge, "GET", "/api/events", edge.read_key)).status_code == 200
    assert await eventually(last_used)


async def test_row_level_security_holds_where_a_query_forgets_the_user(edge: "Edge"):
    everything = Statement(select(broker_accounts.c.client_id, broker_accounts.c.user_id))
    async with open_database(edge.postgres_url, role="vyomo_gateway", application="test") as database:
        caller = Caller(Principal(user_id="bela", key_id="k" * 8), frozenset())
        async with Records(database).read(caller) as reader:
            seen = [row["client_id"] for row in await reader.rows(everything)]
        async with database.connection() as connection:
            unbound = await connection.fetchval("SELECT count(*) FROM accounts.broker_accounts")

    assert seen == ["B1"]
    assert unbound == 0


def test_a_public_address_is_refused_unless_it_is_wanted(tmp_path: Path):
    common: dict[str, Any] = {"nats_url": "nats://x", "postgres_url": "postgresql://x", "keys_dir": tmp_path}

    with pytest.raises(ValidationError, match="VYOMO_INSECURE"):
        GatewaySettings(http_host="0.0.0.0", **common)  # noqa: S104

    assert GatewaySettings(http_host="0.0.0.0", insecure=True, **common).http_port == 3011  # noqa: S104
    assert GatewaySettings(http_host="::1", **common).http_host == "::1"


async def test_provision_makes_a_key_once(database_url: str, tmp_path: Path):
    keys = tmp_path / "keys"
    ensure_keys(keys)
    pepper = (keys / PEPPER_FILE).read_bytes()
    key_file = tmp_path / "state" / "api-key"

    made = [
        await provision(database_url, user_id="default_user", key_file=key_file, pepper=pepper)
        for _ in range(2)
    ]

    assert made == [True, False]
    assert ApiKey.parse(key_file.read_text().strip()) is not None
    assert key_file.stat().st_mode & 0o777 == 0o600
    first = key_file.read_text()
    key_file.write_text(ApiKey.generate().text)
    assert await provision(database_url, user_id="default_user", key_file=key_file, pepper=pepper)
    assert key_file.read_text() != first


def test_provision_from_the_command_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ensure_keys(tmp_path / "keys")
    monkeypatch.setenv("VYOMO_POSTGRES_URL", database_url)
    monkeypatch.setenv("VYOMO_KEYS_DIR", os.fspath(tmp_path / "keys"))
    key_file = tmp_path / "api-key"

    assert main(["--user", "default_user", "--key-file", str(key_file)]) == 0

    assert key_file.read_text().strip() not in capsys.readouterr().out
