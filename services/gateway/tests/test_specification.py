"""The specification's calls, word for word."""

from typing import TYPE_CHECKING

from vyomo_contracts.vocabulary import OrderState
from vyomo_service_kit.sealing import PRIVATE_KEY_FILE, Opener, SecretPlace

if TYPE_CHECKING:
    from conftest import Edge


async def test_creating_a_paper_account_ignores_and_names_what_does_not_apply(edge: "Edge"):
    body = {
        "broker": "paper",
        "clientId": "DEMO123",
        "apiSecret": "s",
        "password": "p",
        "totpSecret": "t",
        "initialCapital": 250000.5,
    }

    response = await edge.client.post("/api/brokers/accounts", json=body)

    assert response.status_code == 201
    answer = response.json()
    assert answer["success"] is True
    account = answer["account"]
    assert account["userId"] == "asha"
    assert account["clientId"] == "DEMO123"
    assert account["isActive"] is True
    assert (account["balance"], account["marginAvailable"], account["marginUsed"]) == (250000.5, 250000.5, 0)
    assert [warning.split()[0] for warning in answer["warnings"]] == ["apiSecret", "password", "totpSecret"]
    assert edge.behind.created[0].secrets == ()


async def test_unlimited_capital_shows_no_balance(edge: "Edge"):
    body = {"broker": "paper", "clientId": "BIG", "initialCapital": "unlimited", "userId": "asha"}

    account = (await edge.client.post("/api/brokers/accounts", json=body)).json()["account"]

    assert account["balance"] is None
    assert account["marginAvailable"] is None
    assert account["unlimited"] is True


async def test_credentials_travel_sealed_to_their_place(edge: "Edge"):
    body = {"broker": "angel", "clientId": "A100", "apiKey": "key", "password": "4321", "totpSecret": "seed"}

    response = await edge.client.post("/api/brokers/accounts", json=body | {"apiSecret": "unused"})

    assert response.status_code == 201
    assert not any(secret in response.text for secret in ("4321", "seed", "unused"))
    opener = Opener((edge.keys_dir / PRIVATE_KEY_FILE).read_bytes())
    opened = {
        secret.field: opener.open(
            secret.sealed, SecretPlace(user_id="asha", broker="angel", client_id="A100", field=secret.field)
        ).get_secret_value()
        for secret in edge.behind.created[0].secrets
    }
    assert opened == {"apiKey": "key", "password": "4321", "totpSecret": "seed"}
    assert response.json()["warnings"] == ["apiSecret does not apply to angel accounts and was ignored"]


async def test_accounts_are_listed_for_their_user(edge: "Edge"):
    response = await edge.client.get("/api/brokers/accounts?userId=asha")

    answer = response.json()
    assert answer["success"] is True
    assert [account["clientId"] for account in answer["accounts"]] == ["A1", "A2"]
    assert answer["accounts"][0]["marginAvailable"] == 100000


async def test_a_market_order_with_prices_is_accepted_and_says_what_it_ignored(edge: "Edge"):
    body = edge.order_body(orderType="MARKET", price=250.50, triggerPrice=245.00)

    response = await edge.client.post(f"{edge.account}/orders", json=body)

    assert response.status_code == 202
    order = response.json()["order"]
    assert order["orderId"].startswith("PAPER_")
    assert order["broker"] == "paper"
    assert order["status"] == "PENDING"
    assert order["filledQuantity"] == 0
    assert (order["price"], order["triggerPrice"]) == (0, None)
    assert order["orderTime"].endswith("Z")
    assert len(order["orderTime"]) == len("2026-02-12T08:05:58.804Z")
    assert [warning.split()[0] for warning in response.json()["warnings"]] == ["price", "triggerPrice"]


async def test_the_order_book_shows_fills_and_prices_as_plain_numbers(edge: "Edge"):
    order = await edge.place()
    await edge.behind.fill(order["orderId"], 10, "250.2500")

    response = await edge.client.get(f"{edge.account}/orders")

    (shown,) = response.json()["orders"]
    assert (shown["status"], shown["state"], shown["filledQuantity"]) == ("COMPLETE", "FILLED", 10)
    assert '"price":250.5,' in response.text
    assert '"averagePrice":250.25,' in response.text


async def test_cancelling_a_pending_order_answers_the_specified_message(edge: "Edge"):
    order = await edge.place()

    response = await edge.client.request(
        "DELETE", f"{edge.account}/orders/{order['orderId']}", json={"reason": "changed my mind"}
    )

    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "Order cancelled successfully"}
    assert edge.behind.cancelled[0].reason == "changed my mind"
    assert (await edge.world.stored(order["orderId"])).state is OrderState.CANCELLED


async def test_margins_and_positions_of_a_fresh_account(edge: "Edge"):
    margins = (await edge.client.get(f"{edge.account}/margins")).json()["margins"]
    positions = (await edge.client.get(f"{edge.account}/positions")).json()

    assert (margins["available"], margins["used"], margins["balance"]) == (100000, 0, 100000)
    assert positions == {"success": True, "positions": []}


async def test_sync_answers_the_specified_message(edge: "Edge"):
    response = await edge.client.post(f"{edge.account}/sync/7")

    assert response.status_code == 200
    assert response.json() == {"success": True, "message": "Positions synced successfully"}
    assert edge.behind.synced == [(edge.world.account, 7)]
