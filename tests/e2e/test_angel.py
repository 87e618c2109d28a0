"""An account at Angel One's sandbox as its user sees it: signed in without a browser, orders in words that the broker has none for, books."""

import httpx
import pytest

from tests.e2e.conftest import System
from tests.e2e.support import far_price, finished, order_body, place, read, until


@pytest.fixture(scope="module")
def angel(system: System) -> int:
    with system.client() as api:
        body = {"broker": "angel", "clientId": "ANG0001", "environment": "sandbox"}
        created = api.post("/api/brokers/accounts", json=body)
        assert created.status_code == 201, created.text
        account: int = created.json()["account"]["id"]

        def signed_in() -> httpx.Response | None:
            answer = api.post(f"/api/brokers/accounts/{account}/login", json={})
            return None if answer.status_code == 503 else answer  # the worker is on its way

        answer = until(signed_in, seconds=20)
        assert answer.status_code == 200, answer.text
        assert answer.json()["session"]["state"] == "ACTIVE"
        return account


def test_market_order_fills_and_is_held(api: httpx.Client, angel: int) -> None:
    order = place(api, angel, quantity=5)

    done = finished(api, angel, order["orderId"], seconds=20)

    assert done["status"] == "COMPLETE", done
    assert (done["filledQuantity"], done["orderType"]) == (5, "MARKET")

    def held() -> int:
        positions = api.get(f"/api/brokers/accounts/{angel}/positions").json()["positions"]
        return sum(each["quantity"] for each in positions if each["symbol"] == "RELIANCE")

    until(lambda: held() == 5, seconds=20)
    margins = until(lambda: api.get(f"/api/brokers/accounts/{angel}/margins").json()["margins"], seconds=20)
    assert margins["available"] > 0


def test_resting_order_is_modified_and_cancelled(api: httpx.Client, angel: int) -> None:
    order = place(api, angel, orderType="LIMIT", price=far_price(api))
    path = f"/api/brokers/accounts/{angel}/orders/{order['orderId']}"
    until(lambda: read(api, angel, order["orderId"])["state"] == "OPEN", seconds=20)

    assert api.patch(path, json={"quantity": 3}).status_code == 202
    until(lambda: read(api, angel, order["orderId"])["quantity"] == 3, seconds=20)
    assert api.delete(path).status_code in {200, 202}

    assert finished(api, angel, order["orderId"], seconds=20)["status"] == "CANCELLED"


def test_option_by_our_name_and_a_stop_at_the_market(api: httpx.Client, angel: int) -> None:
    found = api.get("/api/instruments", params={"q": "NIFTY", "exchange": "NFO", "limit": 50}).json()[
        "instruments"
    ]
    option = next(each for each in found if each["kind"] == "OPTION")
    bought = place(
        api, angel, symbol=option["symbol"], exchange="NFO", quantity=option["lotSize"], product="NRML"
    )
    assert finished(api, angel, bought["orderId"], seconds=20)["status"] == "COMPLETE"

    def held() -> dict[str, int]:
        positions = api.get(f"/api/brokers/accounts/{angel}/positions").json()["positions"]
        return {each["symbol"]: each["quantity"] for each in positions}

    # Angel One calls it otherwise; its book comes back in our words.
    until(lambda: held().get(option["symbol"]) == option["lotSize"], seconds=20)

    stop = place(
        api,
        angel,
        orderType="SL-M",
        transactionType="SELL",
        triggerPrice=far_price(api, percent=6),
        quantity=1,
    )
    until(lambda: read(api, angel, stop["orderId"])["state"] == "TRIGGER_PENDING", seconds=20)
    api.delete(f"/api/brokers/accounts/{angel}/orders/{stop['orderId']}")
    assert finished(api, angel, stop["orderId"], seconds=20)["status"] == "CANCELLED"


def test_what_angel_one_does_not_take_is_refused_in_words(api: httpx.Client, angel: int) -> None:
    ioc = order_body(orderType="LIMIT", price=far_price(api), validity="IOC")
    before = len(api.get(f"/api/brokers/accounts/{angel}/orders").json()["orders"])

    refused = api.post(f"/api/brokers/accounts/{angel}/orders", json=ioc)

    assert refused.status_code == 422
    assert (refused.json()["error"]["code"], refused.json()["error"]["field"]) == (
        "VALIDITY_NOT_ALLOWED",
        "validity",
    )
    assert len(api.get(f"/api/brokers/accounts/{angel}/orders").json()["orders"]) == before


def test_session_that_ends_is_begun_again_without_its_user(
    system: System, api: httpx.Client, angel: int
) -> None:
    key = (system.state / "keys" / "door-admin-key").read_text().strip()
    door = f"http://127.0.0.1:{system.status()['ports']['smartapi']}"

    def session() -> str:
        return api.get(f"/api/brokers/accounts/{angel}").json()["account"]["session"]["state"]

    ended = httpx.post(
        f"{door}/_vyomo/expire",
        json={"account_id": angel},
        headers={"X-Vyomo-Door-Key": key},
        trust_env=False,
    )
    assert ended.status_code == 200, ended.text

    order = place(api, angel, orderType="LIMIT", price=far_price(api, percent=-1))
    until(lambda: session() == "EXPIRED", seconds=40)
    until(lambda: session() == "ACTIVE", seconds=40)

    finished(api, angel, order["orderId"], seconds=40)
    again = place(api, angel, orderType="LIMIT", price=far_price(api, percent=-1))
    assert finished(api, angel, again["orderId"], seconds=20)["status"] == "COMPLETE"
