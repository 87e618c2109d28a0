"""From the click to the fill in one call, and the proof that nothing of it was changed since."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx

from tests.e2e.conftest import System, run_vyomo
from tests.e2e.support import finished, place, until


def verified(system: System) -> tuple[int, dict[str, Any]]:
    told = system.vyomo("audit", "verify", "--json", check=False)
    return told.returncode, json.loads(told.stdout)


def execute(system: System, statement: str, *values: object) -> Any:
    url = json.loads((system.state / "connections.json").read_text())["postgres_url"]

    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_an_order_is_traced_from_request_to_fill_in_one_call(
    system: System, api: httpx.Client, account: int
) -> None:
    headers = {"User-Agent": "my-strategy/1.4", "Idempotency-Key": "trace-1"}
    order = place(api, account, headers=headers)
    finished(api, account, order["orderId"])

    events = api.get(f"/api/brokers/accounts/{account}/orders/{order['orderId']}/events").json()["events"]

    accepted, filled = events[0], events[-1]
    assert accepted["by"] == {
        "component": "order-router",
        "userId": "default_user",
        "keyId": system.key.split("_")[2],
        "address": "127.0.0.1",
        "userAgent": "my-strategy/1.4",
    }
    assert accepted["asked"]["idempotencyKey"] == "trace-1"
    assert accepted["decision"]["approved"] is True
    assert filled["by"] == {"component": "paper-exchange"}
    assert filled["order"]["brokerOrderId"]
    assert sum(trade["quantity"] for trade in filled["trades"]) == 1


def test_a_changed_event_is_found_and_named(system: System, api: httpx.Client, account: int) -> None:
    order = place(api, account)
    finished(api, account, order["orderId"])
    order_id = order["orderId"]
    last = execute(system, "SELECT max(sequence) FROM ledger.order_events WHERE order_id = $1", order_id)
    until(lambda: execute(system, "SELECT max(through) >= $1 FROM ledger.audit_seals", last))
    code, report = verified(system)
    assert (code, report["intact"]) == (0, True), report
    assert report["events"] >= 2
    change = "UPDATE ledger.order_events SET type = $2 WHERE order_id = $1 AND version = 1"

    execute(system, change, order_id, "order.denied")
    try:
        code, report = verified(system)
        told = system.vyomo("audit", "verify", check=False)
    finally:
        execute(system, change, order_id, "order.accepted")

    assert code == told.returncode == 1
    assert report["finding"]["kind"] == "EVENT_CHANGED"
    assert report["finding"]["event"] == f"order {order_id} v1"
    assert f"order {order_id} v1" in told.stdout
    assert verified(system)[0] == 0


def test_the_doctor_tells_of_a_broken_chain(system: System) -> None:
    execute(
        system,
        "INSERT INTO ledger.alerts (account_id, user_id, broker, code, subject, message, raised_at)"
        " VALUES (0, '', '', 'AUDIT_BROKEN', 'drill', 'an event was changed', now())",
    )
    try:
        told = system.vyomo("doctor", check=False)
    finally:
        execute(system, "DELETE FROM ledger.alerts WHERE subject = 'drill'")

    assert told.returncode == 1
    assert "an event was changed" in told.stdout


def test_another_database_is_verified_by_its_url(system: System, tmp_path: Any) -> None:
    file = tmp_path / "url"
    file.write_text(json.loads((system.state / "connections.json").read_text())["postgres_url"])

    told = run_vyomo(tmp_path / "another state", "audit", "verify", "--postgres", f"@{file}", check=False)

    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.startswith("whole: ")


def test_what_does_not_run_or_answer_is_not_called_whole(tmp_path: Any) -> None:
    assert run_vyomo(tmp_path / "state", "audit", "verify", check=False).returncode == 3
    file = tmp_path / "url"
    file.write_text("postgresql://nobody@127.0.0.1:1/nothing")

    told = run_vyomo(tmp_path / "state", "audit", "verify", "--json", "--postgres", f"@{file}", check=False)

    assert told.returncode == 3
    assert json.loads(told.stdout)["intact"] is None


def test_the_anchors_are_outside_the_database_and_for_their_owner_only(
    system: System, api: httpx.Client, account: int
) -> None:
    finished(api, account, place(api, account)["orderId"])
    file = system.state / "audit" / "anchors.jsonl"

    until(file.exists, seconds=60)

    assert file.stat().st_mode & 0o777 == 0o600
