"""A trading program as Angel One's users write it, with the official client, unmodified but for the root. Prints what it saw as JSON.

Run it in a folder of its own: the client's constructor writes `logs/` where it stands.
"""

# ruff: noqa: T201

import importlib
import json
import os
import sys
import threading
from typing import Any

import requests

told: dict[str, str] = json.loads(sys.stdin.read())
seen: dict[str, Any] = {}


def official(module: str) -> Any:
    """Its import asks the internet for this machine's address, without a time limit: here it is told at once that there is none."""

    def nobody(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError

    real, requests.get = requests.get, nobody
    try:
        return importlib.import_module(module)
    finally:
        requests.get = real


def sign_in() -> Any:
    client_class = official("SmartApi").SmartConnect
    # One call does not look at the root that the constructor was given.
    client_class._rootUrl = told["root_url"]
    smart = client_class(told["api_key"], root=told["root_url"])
    session = smart.generateSession(told["client_code"], told["pin"], told["totp"])
    seen["signed_in"] = session["status"]
    seen["client"] = session["data"]["clientcode"]
    seen["refresh"] = session["data"]["refreshToken"]
    seen["jwt"] = session["data"]["jwtToken"]
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
    seen["order"] = order | {"price": str(round(last * 1.01, 1))}
    full = smart.placeOrderFullResponse(seen["order"])["data"]
    seen["details"] = smart.individual_order_details(full["uniqueorderid"])["data"]["status"]
    seen["orders"] = {row["orderid"]: row["status"] for row in smart.orderBook()["data"]}
    seen["ids"] = [resting, full["orderid"]]
    seen["trades"] = [int(row["fillsize"]) for row in smart.tradeBook()["data"]]
    candles = {
        "exchange": "NSE",
        "symboltoken": hit["symboltoken"],
        "interval": "ONE_DAY",
        "fromdate": "2026-11-18 09:15",
        "todate": "2026-11-18 15:30",
    }
    seen["candles"] = len(smart.getCandleData(candles)["data"])
    seen["net"] = [row["netqty"] for row in smart.position()["data"]]
    seen["holdings"] = [smart.holding()["data"], smart.allholding()["data"]]
    seen["funds"] = float(smart.rmsLimit()["data"]["net"]) > 0
    seen["refused"] = smart.placeOrder(order | {"ordertype": "MARKET"})
    seen["code"] = smart.placeOrderFullResponse(order | {"ordertag": "x" * 21})["errorcode"]


def stream(smart: Any) -> None:
    ticks_class = official("SmartApi.smartWebSocketV2").SmartWebSocketV2
    updates_class = official("SmartApi.smartWebSocketOrderUpdate").SmartWebSocketOrderUpdate
    ticks_class.ROOT_URI = f"{told['ws_root']}/smart-stream"
    updates_class.WEBSOCKET_URI = f"{told['ws_root']}/smart-order-update"
    jwt = seen.pop("jwt")
    ticked, updated, ready = threading.Event(), threading.Event(), threading.Event()

    ticks = ticks_class(jwt, told["api_key"], told["client_code"], smart.getfeedToken())
    listed = [{"exchangeType": 1, "tokens": ["2885"]}]

    def on_data(_: Any, tick: dict[str, Any]) -> None:
        seen["tick"] = [tick["token"], len(tick["best_5_buy_data"]), len(tick["best_5_sell_data"])]
        ticked.set()

    def on_open(_: Any) -> None:
        ticks.subscribe("abc", 3, listed)

    ticks.on_open, ticks.on_data = on_open, on_data
    threading.Thread(target=ticks.connect, daemon=True).start()

    updates = updates_class(jwt.removeprefix("Bearer "), told["api_key"], told["client_code"], "")

    def on_message(_: Any, message: Any) -> None:
        code = json.loads(message)["order-status"] if message else ""
        ready.set() if code == "AB00" else None
        if code == "AB05":
            updated.set()

    updates.on_message = on_message
    threading.Thread(target=updates.connect, daemon=True).start()
    ready.wait(15)
    smart.placeOrder(seen.pop("order"))
    seen["streamed"] = [ticked.wait(15), updated.wait(15)]


def leave(smart: Any) -> None:
    seen["renewed"] = smart.generateToken(seen.pop("refresh"))["status"]
    seen["left"] = smart.terminateSession(told["client_code"])["status"]
    seen["after"] = smart.rmsLimit()["errorCode"]


client = sign_in()
trade(client)
stream(client)
leave(client)
print(json.dumps(seen), flush=True)
# The client's sockets connect again for ever.
os._exit(0)
