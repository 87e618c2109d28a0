"""A trading program as Zerodha's users write it, with the official client, unmodified but for the roots. Prints what it saw as JSON."""

# ruff: noqa: T201

import importlib
import json
import sys
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

kiteconnect: Any = importlib.import_module("kiteconnect")  # has no types
refused: Any = importlib.import_module("kiteconnect.exceptions")

told: dict[str, str] = json.loads(sys.stdin.read())
seen: dict[str, Any] = {}


def sign_in() -> Any:
    # The client's only address that no argument changes.
    kiteconnect.KiteConnect._default_login_uri = f"{told['root_url']}/connect/login"
    kite = kiteconnect.KiteConnect(told["api_key"], root=told["root_url"])
    page = requests.post(
        kite.login_url(), data={"api_key": told["api_key"]}, allow_redirects=False, timeout=10
    )
    token = parse_qs(urlsplit(page.headers["location"]).query)["request_token"][0]
    session = kite.generate_session(token, api_secret=told["api_secret"])
    seen["login_time"] = session["login_time"].isoformat()
    return kite


def trade(kite: Any) -> None:
    listed = {row["tradingsymbol"]: row for row in kite.instruments("NSE")}
    seen["token"] = listed["RELIANCE"]["instrument_token"]
    last = kite.ltp("NSE:RELIANCE")["NSE:RELIANCE"]["last_price"]
    seen["quote"] = len(kite.quote("NSE:RELIANCE", "NSE:INFY")["NSE:INFY"]["depth"]["buy"])
    seen["ohlc"] = sorted(kite.ohlc("NSE:RELIANCE")["NSE:RELIANCE"]["ohlc"])
    candles = kite.historical_data(seen["token"], "2026-11-18 09:15:00", "2026-11-18 09:29:59", "5minute")
    seen["candles"] = [candle["date"].isoformat() for candle in candles]
    order = {
        "variety": kite.VARIETY_REGULAR,
        "exchange": kite.EXCHANGE_NSE,
        "tradingsymbol": "RELIANCE",
        "quantity": 5,
        "product": kite.PRODUCT_MIS,
    }
    resting = kite.place_order(
        **order, transaction_type="SELL", order_type="LIMIT", price=round(last * 1.02, 1), tag="bot1"
    )
    kite.modify_order("regular", resting, price=round(last * 1.03, 1), quantity=6, order_type="LIMIT")
    kite.cancel_order("regular", resting)
    seen["history"] = [row["status"] for row in kite.order_history(resting)]
    bought = kite.place_order(**order, transaction_type="BUY", order_type="MARKET", market_protection=-1)
    seen["orders"] = {row["order_id"]: row["status"] for row in kite.orders()}
    seen["ids"] = [resting, bought]
    seen["trades"] = [row["quantity"] for row in kite.order_trades(bought)]
    seen["all_trades"] = len(kite.trades())
    seen["net"] = [row["quantity"] for row in kite.positions()["net"]]
    seen["holdings"] = kite.holdings()
    seen["margin"] = kite.margins("equity")["utilised"]["debits"] > 0
    asked = order | {"transaction_type": "BUY", "order_type": "LIMIT", "price": last, "trigger_price": 0}
    seen["order_margin"] = kite.order_margins([asked])[0]["total"] > 0
    seen["basket"] = kite.basket_order_margins([asked])["final"]["total"] > 0
    note = asked | {"order_id": bought, "average_price": last}
    seen["note"] = kite.get_virtual_contract_note([note])[0]["charges"]["total"] > 0
    seen["profile"] = kite.profile()["user_id"]


def be_refused(kite: Any) -> None:
    def name_of(act: Any) -> str:
        try:
            act()
        except refused.KiteException as error:
            return f"{type(error).__name__} {error.code}"
        return "nothing"

    order = {"variety": "regular", "exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY"}
    seen["refusals"] = [
        name_of(lambda: kite.place_order(**order, quantity=1, product="MIS", order_type="MARKET")),
        name_of(lambda: kite.cancel_order("regular", seen["ids"][1])),
        name_of(kite.get_gtts),
        name_of(kite.mf_orders),
    ]


def stream(kite: Any) -> None:
    done = threading.Event()
    ticks: list[Any] = []
    orders: list[str] = []
    ticker = kiteconnect.KiteTicker(told["api_key"], kite.access_token, root=told["ws_url"])

    def on_connect(socket: Any, _: Any) -> None:
        socket.subscribe([seen["token"], 256265])
        socket.set_mode(socket.MODE_FULL, [seen["token"]])
        threading.Thread(
            target=lambda: kite.place_order(
                "regular", "NSE", "RELIANCE", "SELL", 5, "MIS", "MARKET", market_protection=-1
            )
        ).start()

    def look() -> None:
        full = [
            tick for tick in ticks if tick["mode"] == "full" and tick["instrument_token"] == seen["token"]
        ]
        if (
            len({tick["exchange_timestamp"] for tick in full}) >= 3
            and orders
            and any(tick["instrument_token"] == 256265 for tick in ticks)
        ):
            done.set()

    def on_ticks(_: Any, came: list[Any]) -> None:
        ticks.extend(came)
        look()

    def on_order_update(_: Any, row: Any) -> None:
        orders.append(row["status"])
        look()

    ticker.on_connect, ticker.on_ticks, ticker.on_order_update = on_connect, on_ticks, on_order_update
    ticker.connect(threaded=True)
    seen["streamed"] = done.wait(20)
    seen["depth"] = max((len(tick["depth"]["buy"]) for tick in ticks if "depth" in tick), default=0)
    seen["tradable"] = sorted({(tick["instrument_token"], tick["tradable"]) for tick in ticks})
    seen["order_updates"] = orders
    ticker.close()


def leave(kite: Any) -> None:
    kite.set_session_expiry_hook(lambda: seen.update(expired=True))
    kite.invalidate_access_token()
    try:
        kite.profile()
    except refused.TokenException:
        seen["left"] = True


client = sign_in()
trade(client)
be_refused(client)
stream(client)
leave(client)
print(json.dumps(seen))
