"""Every act is recorded with who did it: a person with key and address, or the part of the router that acted alone."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from vyomo_contracts.commands import AccountEgress
from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState, TradingState
from vyomo_ledger.auditing import AnchorFile
from vyomo_ledger.testing import USER
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]
WHO = Principal(user_id=USER, key_id="k3", address="203.0.113.7", user_agent="my-strategy/1.4")


async def bodies(caller: Caller, order: Order) -> list[dict[str, Any]]:
    rows = await caller.world.rows(
        "SELECT body FROM ledger.order_events WHERE order_id = $1 ORDER BY version", order.order_id
    )
    return [json.loads(row["body"]) for row in rows]


async def test_an_accepted_order_says_who_asked_and_what_was_decided(caller: Caller) -> None:
    command = caller.command(key="signal-42").model_copy(update={"principal": WHO})
    [reply] = await caller.place_all(command)
    assert reply.order is not None

    [body] = await bodies(caller, reply.order)

    assert body["by"] == {
        "component": "order-router",
        "user_id": USER,
        "key_id": "k3",
        "address": "203.0.113.7",
        "user_agent": "my-strategy/1.4",
    }
    assert body["asked"] == {"idempotency_key": "signal-42", "body_hash": "a" * 64}
    assert body["decision"]["approved"] is True


async def test_a_denied_order_says_by_which_version_of_the_limits(caller: Caller) -> None:
    await caller.limit(max_order_quantity=5)
    reply = await caller.place()
    assert reply.order is not None
    assert reply.order.state is OrderState.DENIED

    [body] = await bodies(caller, reply.order)

    assert body["decision"]["approved"] is False
    assert body["decision"]["risk_version"] >= 1
    assert body["order"]["reason_code"] == "RISK_ORDER_QUANTITY_ABOVE_LIMIT"


async def test_modifying_and_cancelling_are_recorded_with_who_asked(caller: Caller) -> None:
    order = await caller.placed()
    await caller.modify(order, quantity=7)
    await caller.cancel(order, reason="changed my mind")

    _, modified, cancelled = await bodies(caller, order)

    for body in (modified, cancelled):
        assert body["by"] == {"component": "order-router", "user_id": USER, "key_id": "k"}


async def test_an_order_that_expired_names_the_sweeper(open_router: OpenRouter) -> None:
    async with open_router(limit_order_seconds=0.2) as caller:
        order = await caller.placed()

        async def expired() -> bool:
            return (await caller.world.stored(order.order_id)).state is OrderState.EXPIRED

        await eventually(expired)

        assert (await bodies(caller, order))[-1]["by"] == {"component": "order-router/sweeper"}


async def test_a_kill_switch_and_limits_say_who_and_the_denials_name_the_router(caller: Caller) -> None:
    order = await caller.placed()
    await caller.limit(max_order_quantity=50)
    await caller.kill(TradingState.HALTED)

    async def denied() -> bool:
        return (await caller.world.stored(order.order_id)).state is OrderState.DENIED

    await eventually(denied)

    assert (await bodies(caller, order))[-1]["by"] == {"component": "order-router/halting"}
    decisions = await caller.risk_events()
    assert [each["type"] for each in decisions] == ["risk.limits_changed", "risk.switched"]
    for decision in decisions:
        assert decision["by"] == {"component": "order-router", "user_id": USER, "key_id": "k"}


async def test_opening_and_switching_an_account_are_recorded_with_who_asked(caller: Caller) -> None:
    """Which secrets came with it, and never what they are, not even sealed."""
    principal = WHO.model_dump()
    secrets = [
        {"field": "apiKey", "sealed": "c2VhbGVkIDE="},
        {"field": "apiSecret", "sealed": "c2VhbGVkIDI="},
    ]
    reply = await caller.create_account("AB1234", broker="zerodha", secrets=secrets, principal=principal)
    assert reply.account is not None
    await caller.switch(reply.account.id, active=False)
    egress = AccountEgress(relay="socks5://relay.example.net:1080", relay_user="asha")
    changed = await caller.set_egress(reply.account.id, egress, sealed="c2VhbGVkIDM=")

    assert changed.account is not None
    assert changed.account.egress == egress
    rows = await caller.world.rows(
        "SELECT account_id, user_id, type, body FROM ledger.account_events ORDER BY sequence"
    )

    assert [(row["account_id"], row["user_id"], row["type"]) for row in rows] == [
        (reply.account.id, USER, "account.opened"),
        (reply.account.id, USER, "account.switched"),
        (reply.account.id, USER, "account.egress_set"),
    ]
    opened, switched, way = (json.loads(row["body"]) for row in rows)
    assert opened["by"]["address"] == "203.0.113.7"
    assert opened["account"] == {
        "broker": "zerodha",
        "client_id": "AB1234",
        "environment": "live",
        "secrets": ["apiKey", "apiSecret"],
    }
    assert switched == {
        "by": {"component": "order-router", "user_id": USER, "key_id": "k"},
        "account": {"is_active": False},
    }
    assert way["account"] == {"egress": {"relay": "socks5://relay.example.net:1080", "relay_user": "asha"}}
    # Another's account is none, and straight is no way of its own.
    foreign = await caller.set_egress(caller.world.foreign_account, egress)
    assert foreign.problem is not None
    straight = await caller.set_egress(reply.account.id, None)
    assert straight.account is not None
    assert straight.account.egress is None
    [row] = await caller.world.rows(
        "SELECT egress_relay, egress_relay_password FROM accounts.broker_accounts WHERE id = $1",
        reply.account.id,
    )
    assert set(row.values()) == {None}


async def test_what_is_published_is_the_snapshot_alone(caller: Caller) -> None:
    """Addresses and keys stay in the record: many may listen on the bus."""
    await caller.placed()
    await caller.kill(TradingState.HALTED)

    async def heard() -> bool:
        return len(caller.world.heard) >= 2

    await eventually(heard)

    said = " ".join(envelope.model_dump_json() for envelope in caller.world.heard)
    assert "user_agent" not in said
    assert '"by"' not in said


async def test_a_running_router_seals_verifies_and_anchors(open_router: OpenRouter, tmp_path: Path) -> None:
    path = tmp_path / "anchors.jsonl"
    async with open_router(audit_anchors=path, audit_verify_seconds=0.5) as caller:
        await caller.placed()
        await caller.kill(TradingState.REDUCING)

        async def anchored() -> bool:
            anchors = AnchorFile(path).read()
            return any(anchor.total >= 2 for anchor in anchors.values())

        await eventually(anchored, timeout=30)
        [number] = await caller.world.rows("SELECT max(number) AS number FROM ledger.audit_seals")
        assert number["number"] in AnchorFile(path).read()
