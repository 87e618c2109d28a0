"""Credentials for the paper exchange's front doors: made, sealed and told once."""

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from vyomo_ledger.door_logins import DoorSecret, door_secret_place
from vyomo_ledger.testing import USER
from vyomo_service_kit.database import open_database
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener, SealError
from vyomo_service_kit.testing.databases import execute

if TYPE_CHECKING:
    from .conftest import Edge


async def stored(edge: "Edge") -> list[dict[str, Any]]:
    async with (
        open_database(edge.postgres_url, role="vyomo_worker", application="test") as database,
        database.connection() as connection,
    ):
        return [dict(row) for row in await connection.fetch("SELECT * FROM accounts.door_logins")]


async def test_paper_account_gets_fresh_credentials_each_time(edge: "Edge") -> None:
    url, body = f"{edge.account}/sandbox", {"protocol": "kite", "redirectUrl": "http://127.0.0.1:5000/cb"}
    first = await edge.client.post(url, json=body)
    second = await edge.client.post(url, json=body | {"profile": "legacy"})

    assert first.status_code == second.status_code == 201, first.text
    assert first.headers["cache-control"] == "no-store"
    told = second.json()["sandbox"]
    assert told == {
        "accountId": edge.world.account,
        "protocol": "kite",
        "profile": "legacy",
        "rootUrl": "http://127.0.0.1:3012",
        "wsUrl": "ws://127.0.0.1:3012/",
        "apiKey": told["apiKey"],
        "apiSecret": told["apiSecret"],
    }
    assert told["apiKey"] != first.json()["sandbox"]["apiKey"]
    (row,) = await stored(edge)
    assert (row["profile"], row["redirect_url"], row["user_id"]) == ("legacy", body["redirectUrl"], USER)
    opener = Opener((edge.keys_dir / PRIVATE_KEY_FILE).read_bytes())

    def opened(column: str, field: DoorSecret, account_id: int) -> SecretStr:
        return opener.open(row[column], door_secret_place(USER, account_id, "kite", field))

    assert opened("api_secret", "apiSecret", edge.world.account) == SecretStr(told["apiSecret"])
    with pytest.raises(SealError):
        opened("api_secret", "apiSecret", edge.world.second_account)
    assert told["apiSecret"] not in str(row)


async def test_only_the_owner_of_an_active_paper_account_may(edge: "Edge") -> None:
    body = {"protocol": "kite"}
    foreign = await edge.client.post(f"{edge.foreign_account}/sandbox", json=body)
    reader = {"Authorization": f"Bearer {edge.read_key}"}
    reading = await edge.client.post(f"{edge.account}/sandbox", json=body, headers=reader)
    execute(
        edge.postgres_url,
        f"UPDATE accounts.broker_accounts SET broker = 'zerodha' WHERE id = {edge.world.second_account}",
        f"UPDATE accounts.broker_accounts SET is_active = false WHERE id = {edge.world.account}",
    )
    live = await edge.client.post(f"/api/brokers/accounts/{edge.world.second_account}/sandbox", json=body)
    inactive = await edge.client.post(f"{edge.account}/sandbox", json=body)

    codes = [(each.status_code, each.json()["error"]["code"]) for each in (foreign, reading, live, inactive)]
    assert codes == [
        (404, "ACCOUNT_NOT_FOUND"),
        (403, "SCOPE_MISSING"),
        (409, "NOT_A_PAPER_ACCOUNT"),
        (409, "ACCOUNT_INACTIVE"),
    ]
    assert await stored(edge) == []


async def test_bad_bodies_and_a_door_that_does_not_run(edge: "Edge") -> None:
    url = f"{edge.account}/sandbox"
    bad = (
        ({}, "protocol"),
        ({"protocol": "fix"}, "protocol"),
        ({"protocol": "kite", "profile": "old"}, "profile"),
        ({"protocol": "kite", "redirectUrl": "javascript:alert(1)"}, "redirectUrl"),
    )
    for body, field in bad:
        answer = await edge.client.post(url, json=body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    closed = await edge.client.post(url, json={"protocol": "smartapi"})

    assert (closed.status_code, closed.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert await stored(edge) == []
