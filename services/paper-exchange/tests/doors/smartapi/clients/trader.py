"""A trading program as Angel One's users write it, with the official client, unmodified but for the root. Prints what it saw as JSON.

Run it in a folder of its own: the client's constructor writes `logs/` where it stands.
"""

# ruff: noqa: T201

import importlib
import json
import sys
from typing import Any

import requests

told: dict[str, str] = json.loads(sys.stdin.read())
seen: dict[str, Any] = {}


def official_client() -> Any:
    """Its import asks the internet for this machine's address, without a time limit: here it is told at once that there is none."""

    def nobody(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError

    real, requests.get = requests.get, nobody
    try:
        return importlib.import_module("SmartApi").SmartConnect
    finally:
        requests.get = real


def sign_in() -> Any:
    client_class = official_client()
    # One call does not look at the root that the constructor was given.
    client_class._rootUrl = told["root_url"]
    smart = client_class(told["api_key"], root=told["root_url"])
    session = smart.generateSession(told["client_code"], told["pin"], told["totp"])
    seen["signed_in"] = session["status"]
    seen["client"] = session["data"]["clientcode"]
    seen["refresh"] = session["data"]["refreshToken"]
    return smart


def trade(smart: Any) -> None:
    (hit,) = [
        row for row in smart.searchScrip("NSE", "RELIANCE")["data"] if row["tradingsymbol"] == "RELIANCE-EQ"
    ]
    last = smart.ltpData("NSE", hit["tradingsymbol"], hit["symboltoken"])["data"]["ltp"]
    quote = smart.getMarketData("FULL", {"NSE": [hit["symboltoken"]]})
    seen["depth"] = len(quote["data"]["fetched"][0]["depth"]["buy"])
    order = {
        "variety": "NORMAL",
        "tradingsymbol": hit["tradingsymbol"],
        "symboltoken": hit["symboltoken"],
        "transactiontype": "BUY",
        "exchange": "NSE",
        "ordertype": "LIMIT",
        "producttype": "INTRADAY",
        "duration": "DAY",
        "price": str(round(last * 0.97, 1)),
        "quantity": "5",
        "ordertag": "bot1",
    }
    seen["empty"] = smart.orderBook()["data"]
    resting = smart.placeOrder(order)
    smart.modifyOrder(order | {"orderid": resting, "quantity": "6"})
    smart.cancelOrder(resting, "NORMAL")
    full = smart.placeOrderFullResponse(order | {"price": str(round(last * 1.01, 1))})["data"]
    seen["details"] = smart.individual_order_details(full["uniqueorderid"])["data"]["status"]
    seen["orders"] = {row["orderid"]: row["status"] for row in smart.orderBook()["data"]}
    seen["ids"] = [resting, full["orderid"]]
    seen["trades"] = [int(row["fillsize"]) for row in smart.tradeBook()["data"]]
    seen["net"] = [row["netqty"] for row in smart.position()["data"]]
    seen["holdings"] = [smart.holding()["data"], smart.allholding()["data"]]
    seen["funds"] = float(smart.rmsLimit()["data"]["net"]) > 0
    seen["refused"] = smart.placeOrder(order | {"ordertype": "MARKET"})
    seen["code"] = smart.placeOrderFullResponse(order | {"ordertag": "x" * 21})["errorcode"]


def leave(smart: Any) -> None:
    seen["renewed"] = smart.generateToken(seen.pop("refresh"))["status"]
    seen["left"] = smart.terminateSession(told["client_code"])["status"]
    seen["after"] = smart.rmsLimit()["errorCode"]


client = sign_in()
trade(client)
leave(client)
print(json.dumps(seen))
