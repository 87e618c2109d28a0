"""The kill switch and exit-all on the running system, by HTTP alone."""

import httpx

from tests.e2e.support import far_price, finished, order_body, place, read, until


def kill(api: httpx.Client, account: int, state: str) -> None:
    body = {"scope": "account", "id": account, "state": state, "reason": "drill"}
    answer = api.post("/api/risk/kill", json=body)
    assert answer.status_code == 200, answer.text


def test_kill_cancels_what_is_pending_and_exit_all_closes_what_is_held(
    api: httpx.Client, account: int
) -> None:
    bought = place(api, account, quantity=10)
    assert finished(api, account, bought["orderId"])["status"] == "COMPLETE"
    waiting = place(api, account, orderType="LIMIT", price=far_price(api))
    until(lambda: read(api, account, waiting["orderId"])["state"] == "OPEN")

    kill(api, account, "HALTED")
    denied = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body())
    cancelled = finished(api, account, waiting["orderId"])
    kill(api, account, "REDUCING")
    entry = api.post(f"/api/brokers/accounts/{account}/orders", json=order_body())
    exits = api.post("/api/risk/exit-all", json={"accountId": account, "key": "drill"}).json()

    assert (denied.status_code, denied.json()["error"]["code"]) == (422, "TRADING_HALTED")
    assert (cancelled["status"], cancelled["reasonCode"]) == ("CANCELLED", "TRADING_HALTED")
    assert entry.json()["error"]["code"] == "TRADING_REDUCING"
    assert exits["complete"] is True
    [exit_] = exits["exits"]
    assert finished(api, account, exit_["order"]["orderId"])["status"] == "COMPLETE"
    positions = api.get(f"/api/brokers/accounts/{account}/positions").json()["positions"]
    assert [position["quantity"] for position in positions] == [0]

    kill(api, account, "ACTIVE")
    again = place(api, account)
    until(lambda: read(api, account, again["orderId"])["status"] == "COMPLETE")


def test_paper_account_is_as_slow_as_a_real_broker_until_told_otherwise(api: httpx.Client) -> None:
    body = {"broker": "paper", "clientId": "SLOW1", "initialCapital": "unlimited"}
    account = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]

    def is_refused() -> bool:
        answers = [api.post(f"/api/brokers/accounts/{account}/orders", json=order_body()) for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all(answer.json()["error"]["code"] == "RATE_LIMITED" for answer in refused)
        assert all(answer.headers["Retry-After"] == "1" for answer in refused)
        return bool(refused)

    # On a busy machine twelve orders may take longer than a second.
    until(is_refused, seconds=20)
    limits = api.put("/api/risk/limits", params={"accountId": account}, json={"ordersPerSecond": 1000})
    assert limits.status_code == 200, limits.text
    answers = [api.post(f"/api/brokers/accounts/{account}/orders", json=order_body()) for _ in range(30)]
    assert {answer.status_code for answer in answers} == {202}
