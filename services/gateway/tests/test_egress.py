"""The way of an account's orders: asked for, checked, sealed, shown without its password."""

from typing import TYPE_CHECKING, Any

import pytest

from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener, SecretPlace

if TYPE_CHECKING:
    from conftest import Edge


async def live_account(edge: "Edge") -> str:
    body = {"broker": "zerodha", "clientId": "AB1234", "apiKey": "k", "apiSecret": "s"}
    created = await edge.client.post("/api/brokers/accounts", json=body)
    return f"/api/brokers/accounts/{created.json()['account']['id']}/egress"


async def test_relays_password_is_sealed_for_this_account_and_never_shown(edge: "Edge"):
    account = await live_account(edge)
    egress = {
        "relay": "socks5://relay.example.net:1080",
        "relayUser": "asha",
        "relayPassword": "canary-relay",
    }

    answer = await edge.client.put(account, json=egress)

    assert answer.status_code == 200, answer.text
    assert answer.json()["account"]["egress"] == {
        "sourceAddress": None,
        "relay": "socks5://relay.example.net:1080",
        "relayUser": "asha",
    }
    assert "canary" not in answer.text
    [command] = edge.behind.egresses
    assert command.relay_password is not None
    place = SecretPlace(command.principal.user_id, Broker.ZERODHA, "AB1234", "relayPassword")
    opener = Opener((edge.keys_dir / PRIVATE_KEY_FILE).read_bytes())
    assert opener.open(command.relay_password.sealed, place).get_secret_value() == "canary-relay"


async def test_address_is_set_and_taken_away(edge: "Edge"):
    account = await live_account(edge)

    await edge.client.put(account, json={"sourceAddress": "2001:DB8::1"})
    assert (await edge.client.delete(account)).json()["account"]["egress"] is None

    told, nothing = edge.behind.egresses
    assert told.egress is not None
    assert told.egress.source_address == "2001:db8::1"
    assert nothing.egress is None


@pytest.mark.parametrize(
    ("egress", "code", "field"),
    [
        ({}, "MISSING_FIELD", "sourceAddress"),
        ({"sourceAddress": "203.0.113.5", "relay": "http://a:1"}, "INVALID_FIELD", "relay"),
        ({"sourceAddress": "home"}, "INVALID_FIELD", "sourceAddress"),
        ({"sourceAddress": "203.0.113.5/24"}, "INVALID_FIELD", "sourceAddress"),
        ({"relay": "relay.example.net:1080"}, "INVALID_FIELD", "relay"),
        ({"relay": "https://relay.example.net:443"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://relay.example.net"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://relay.example.net:99999"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://user:canary@relay.example.net:3128"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://relay.example.net:3128/path"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://a b:3128"}, "INVALID_FIELD", "relay"),
        ({"relay": "http://a:1", "relayUser": "u"}, "MISSING_FIELD", "relayPassword"),
        ({"relay": "http://a:1", "relayPassword": "canary"}, "MISSING_FIELD", "relayUser"),
        (
            {"relay": "http://a:1", "relayUser": "u:v", "relayPassword": "canary"},
            "INVALID_FIELD",
            "relayUser",
        ),
        (
            {"sourceAddress": "203.0.113.5", "relayUser": "u", "relayPassword": "canary"},
            "INVALID_FIELD",
            "relay",
        ),
    ],
)
async def test_way_that_cannot_be_is_told_with_its_field(
    edge: "Edge", egress: dict[str, Any], code: str, field: str
):
    answer = await edge.client.put(await live_account(edge), json=egress)

    assert answer.status_code == 422
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == (code, field)
    assert "canary" not in answer.text
    assert edge.behind.egresses == []


async def test_papers_orders_go_nowhere(edge: "Edge"):
    answer = await edge.client.put(f"{edge.account}/egress", json={"sourceAddress": "203.0.113.5"})

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "accountId")
