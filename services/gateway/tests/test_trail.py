"""Who and what stands behind each event of an order, from the request on."""

from typing import TYPE_CHECKING

import pytest

from vyomo_contracts.vocabulary import OrderState
from vyomo_gateway.identity.addresses import LONGEST_USER_AGENT, Origins, networks_of
from vyomo_gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from conftest import Edge

PROXIES = Origins(networks_of("10.0.0.0/8, 192.0.2.7"))


def scope(peer: str | None, *forwarded: str, agent: bytes | None = None) -> dict[str, object]:
    headers = [(b"x-forwarded-for", text.encode()) for text in forwarded]
    if agent is not None:
        headers.append((b"user-agent", agent))
    return {"type": "http", "client": None if peer is None else (peer, 40000), "headers": headers}


async def test_history_tells_who_asked_what_and_from_where(edge: "Edge"):
    headers = {"User-Agent": "my-strategy/1.4", "Idempotency-Key": "signal-42"}
    answer = await edge.client.post(f"{edge.account}/orders", json=edge.order_body(), headers=headers)
    order_id = answer.json()["order"]["orderId"]
    await edge.behind.fill(order_id, 10, "250.5")

    events = (await edge.client.get(f"{edge.account}/orders/{order_id}/events")).json()["events"]

    accepted, filled = events
    key_id = edge.key.split("_")[2]
    who = {"userId": "asha", "keyId": key_id, "address": "127.0.0.1", "userAgent": "my-strategy/1.4"}
    assert accepted["by"] == {"component": "test", **who}
    assert accepted["asked"]["idempotencyKey"] == "signal-42"
    assert accepted["asked"]["bodyHash"] == edge.behind.placed[0].body_hash
    assert accepted["decision"] == {"approved": True, "riskVersion": None}
    assert list(filled["by"]) == ["component"]
    assert "asked" not in filled


async def test_cancelling_is_recorded_with_who_asked_for_it(edge: "Edge"):
    order = await edge.place()
    await edge.client.request(
        "DELETE", f"{edge.account}/orders/{order['orderId']}", headers={"User-Agent": "phone"}
    )

    path = f"{edge.account}/orders/{order['orderId']}/events"
    cancelled = (await edge.client.get(path)).json()["events"][-1]

    assert cancelled["order"]["state"] == OrderState.CANCELLED
    assert (cancelled["by"]["userId"], cancelled["by"]["userAgent"]) == ("asha", "phone")


async def test_what_a_caller_says_of_its_address_counts_for_nothing(edge: "Edge"):
    headers = {"X-Forwarded-For": "198.51.100.9", "Forwarded": "for=198.51.100.9"}
    await edge.client.post(f"{edge.account}/orders", json=edge.order_body(), headers=headers)

    assert edge.behind.placed[0].principal.address == "127.0.0.1"


async def test_no_event_holds_the_key_or_anything_else_that_opens_a_door(edge: "Edge"):
    order = await edge.place()
    await edge.behind.fill(order["orderId"], 10, "250.5")

    rows = await edge.world.rows("SELECT body::text AS body FROM ledger.order_events")

    text = " ".join(row["body"] for row in rows)
    secret = edge.key.split("_", 3)[3]
    assert secret not in text
    assert "authorization" not in text.lower()


async def test_events_from_before_this_was_recorded_are_still_told(edge: "Edge"):
    order = await edge.place()
    async with edge.world.database.connection() as connection:
        await connection.execute(
            "INSERT INTO ledger.order_events SELECT order_id, 2, account_id, user_id, sequence + 1, type,"
            " body - 'by' - 'asked' - 'decision', recorded_at FROM ledger.order_events"
        )

    path = f"{edge.account}/orders/{order['orderId']}/events"
    old = (await edge.client.get(path)).json()["events"][-1]

    assert "by" not in old
    assert old["order"]["orderId"] == order["orderId"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.9"], "203.0.113.7"),  # no proxy of ours
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.9"], "198.51.100.9"),
        ("10.1.2.3", ["6.6.6.6, 198.51.100.9"], "198.51.100.9"),  # the first is the client's own invention
        ("10.1.2.3", ["6.6.6.6", "198.51.100.9, 192.0.2.7"], "198.51.100.9"),
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),  # from within
        ("10.1.2.3", ["198.51.100.9, nonsense"], "10.1.2.3"),
        ("::ffff:10.1.2.3", ["2001:db8::1"], "2001:db8::1"),
        (None, ["198.51.100.9"], None),
    ],
)
def test_address_is_what_the_nearest_trusted_proxy_saw(
    peer: str | None, forwarded: list[str], expected: str | None
):
    assert PROXIES.of(scope(peer, *forwarded))[0] == expected


def test_user_agent_is_cut_and_printable():
    _, agent = Origins().of(scope("203.0.113.7", agent=b"bot\x07\x1b[31m" + b"x" * 1000))

    assert agent is not None
    assert agent.isprintable()
    assert len(agent) <= LONGEST_USER_AGENT


def test_a_proxy_that_is_no_address_fails_the_start(edge: "Edge"):
    with pytest.raises(ValueError, match="trusted_proxies"):
        GatewaySettings(
            nats_url="nats://x",  # pyright: ignore[reportArgumentType]
            postgres_url="postgresql://x",  # pyright: ignore[reportArgumentType]
            keys_dir=edge.keys_dir,
            trusted_proxies="10.0.0.0/8, loadbalancer",
        )
