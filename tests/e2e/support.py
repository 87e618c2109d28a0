"""Small words for what end-to-end tests do over and over."""

import time
from collections.abc import Callable
from typing import Any

import httpx

TERMINAL = {"COMPLETE", "CANCELLED", "REJECTED"}


def order_body(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "transactionType": "BUY",
        "orderType": "MARKET",
        "quantity": 1,
        "product": "MIS",
        "validity": "DAY",
        **changes,
    }


def place(
    api: httpx.Client, account: int, headers: dict[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    answer = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body(**changes), headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["order"]


def read(api: httpx.Client, account: int, order_id: str) -> dict[str, Any]:
    return api.get(f"/api/brokers/accounts/{account}/orders/{order_id}").json()["order"]


def until(check: Callable[[], Any], *, seconds: float = 10) -> Any:
    """The first true result of `check`, asked every 50 ms."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def finished(api: httpx.Client, account: int, order_id: str, *, seconds: float = 10) -> dict[str, Any]:
    def order_if_finished() -> dict[str, Any] | None:
        order = read(api, account, order_id)
        return order if order["status"] in TERMINAL else None

    return until(order_if_finished, seconds=seconds)


def far_price(api: httpx.Client, symbol: str = "RELIANCE", *, percent: int = 5) -> float:
    """A legal price that many percent below yesterday's close: a BUY at it waits (or trades at once, below zero percent)."""
    answer = api.get("/api/instruments", params={"q": symbol, "exchange": "NSE"})
    assert answer.status_code == 200, answer.text
    instrument = next(each for each in answer.json()["instruments"] if each["symbol"] == symbol)
    tick = instrument["tickSize"]
    wanted = instrument["referencePrice"] * (100 - percent) / 100
    return round(round(wanted / tick) * tick, 2)
