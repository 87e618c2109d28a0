"""The specification's calls, in its order, over HTTP, against the system that `./vyomo up` starts."""

import re

import httpx

from tests.e2e.support import far_price, finished

ORDER_AS_SPECIFIED = {
    "symbol": "NIFTY",
    "exchange": "NSE",
    "transactionType": "BUY",
    "orderType": "MARKET",
    "quantity": 10,
    "price": 250.50,
    "triggerPrice": 245.00,
    "product": "MIS",
    "validity": "DAY",
}


def test_calls_of_the_specification_work_in_their_order(api: httpx.Client) -> None:
    # POST /api/brokers/accounts, with what does not apply to paper
    body = {
        "broker": "paper",
        "clientId": "DEMO123",
        "apiKey": "key",
        "apiSecret": "a-secret",
        "password": "1234",
        "totpSecret": "JBSWY3DPEHPK3PXP",
    }
    created = api.post("/api/brokers/accounts", json=body)
    assert created.is_success
    answer = created.json()
    account = answer["account"]
    assert answer["success"] is True
    assert (
        account.items()
        >= {
            "userId": "default_user",
            "broker": "paper",
            "clientId": "DEMO123",
            "isActive": True,
            "balance": 100000,
            "marginAvailable": 100000,
            "marginUsed": 0,
        }.items()
    )
    assert {warning.split(" ")[0] for warning in answer["warnings"]} == {
        "apiKey",
        "apiSecret",
        "password",
        "totpSecret",
    }
    root = f"/api/brokers/accounts/{account['id']}"

    # GET /api/brokers/accounts?userId=default_user
    listed = api.get("/api/brokers/accounts", params={"userId": "default_user"}).json()
    assert listed["success"] is True
    mine = next(each for each in listed["accounts"] if each["id"] == account["id"])
    assert mine.items() >= {"broker": "paper", "clientId": "DEMO123", "isActive": True}.items()
    assert mine["marginAvailable"] == 100000

    # POST .../orders, the body as it stands in the specification
    placed = api.post(f"{root}/orders", json=ORDER_AS_SPECIFIED)
    assert placed.status_code == 202
    order = placed.json()["order"]
    assert order["orderId"].startswith("PAPER_")
    assert (
        order.items()
        >= {
            "broker": "paper",
            "symbol": "NIFTY",
            "exchange": "NSE",
            "transactionType": "BUY",
            "orderType": "MARKET",
            "quantity": 10,
            "status": "PENDING",
            "filledQuantity": 0,
            "price": 0,
        }.items()
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", order["orderTime"])
    assert len(placed.json()["warnings"]) == 2

    # GET .../orders
    filled = finished(api, account["id"], order["orderId"])
    [row] = api.get(f"{root}/orders").json()["orders"]
    assert row == filled
    assert row.items() >= {"status": "COMPLETE", "filledQuantity": 10, "price": 0}.items()
    assert 20_000 < row["averagePrice"] < 30_000

    # GET .../positions
    [position] = api.get(f"{root}/positions").json()["positions"]
    assert (
        position.items()
        >= {
            "symbol": "NIFTY",
            "exchange": "NSE",
            "quantity": 10,
            "averagePrice": row["averagePrice"],
            "product": "MIS",
        }.items()
    )
    expected = round((position["currentPrice"] - position["averagePrice"]) * 10, 4)
    assert abs(position["pnl"] - expected) < 0.001
    assert "pnlPercent" in position

    # GET .../margins: true figures
    margins = api.get(f"{root}/margins").json()["margins"]
    assert margins["used"] >= row["averagePrice"] * 10 * 0.2 - 1
    assert abs(margins["available"] + margins["used"] - margins["balance"]) < 0.001

    # DELETE a pending order, with a reason
    waiting = api.post(
        f"{root}/orders",
        json={
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transactionType": "BUY",
            "orderType": "LIMIT",
            "quantity": 1,
            "price": far_price(api),
            "product": "MIS",
            "validity": "DAY",
        },
    ).json()["order"]
    deleted = api.request("DELETE", f"{root}/orders/{waiting['orderId']}", json={"reason": "changed my mind"})
    assert deleted.json() == {"success": True, "message": "Order cancelled successfully"}
    cancelled = api.get(f"{root}/orders/{waiting['orderId']}").json()["order"]
    assert cancelled["status"] == "CANCELLED"
    assert "changed my mind" in (cancelled["reason"] or "")

    # DELETE a complete order: only a pending one can be cancelled
    refused = api.delete(f"{root}/orders/{order['orderId']}")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "ORDER_NOT_PENDING"

    # POST .../sync/7
    synced = api.post(f"{root}/sync/7")
    assert synced.json() == {"success": True, "message": "Positions synced successfully"}
