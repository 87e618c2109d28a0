"""The Risk page: one account halted and released, limits with the server's words, exits asked for by themselves."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_dashboard import account_of, orders_of
from tests.e2e.support import far_price, finished, place, until


@pytest.fixture
def account(api: httpx.Client) -> int:
    return account_of(api, "RISK")


def opened(visit: Visit, api: httpx.Client, account: int) -> tuple[Page, str]:
    """The page and the account's name on it."""
    visit.sign_in()
    visit.page.goto(f"{visit.system.url}/risk")
    visit.page.locator(".pill.live").wait_for()
    client_id = api.get(f"/api/brokers/accounts/{account}").json()["account"]["clientId"]
    return visit.page, f"Paper {client_id}"


def test_one_account_is_halted_with_a_reason_and_released(
    visit: Visit, api: httpx.Client, account: int
) -> None:
    page, name = opened(visit, api, account)
    place(api, account, orderType="LIMIT", price=far_price(api))
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Trading")
    row.get_by_role("button", name="Halt").click()
    dialog = page.get_by_role("dialog", name=f"Halt: {name}")
    expect(dialog).to_contain_text("Every pending order is cancelled")
    expect(dialog.get_by_role("button", name="Halt")).to_be_disabled()
    assert visit.violations() == []
    dialog.get_by_label("Why").fill("drill of one")
    dialog.get_by_role("button", name="Halt").click()

    expect(row).to_contain_text("Halted")
    until(lambda: orders_of(api, account)[0]["status"] == "CANCELLED")
    body = {"symbol": "RELIANCE", "exchange": "NSE", "transactionType": "BUY", "orderType": "MARKET"}
    refused = api.post(
        f"/api/brokers/accounts/{account}/orders", json=body | {"quantity": 1, "product": "MIS"}
    )
    assert refused.json()["error"]["code"] == "TRADING_HALTED"
    held = (
        page.get_by_role("list", name="What holds trading back").get_by_role("listitem").filter(has_text=name)
    )
    expect(held).to_contain_text("drill of one")
    held.get_by_role("button", name="Release").click()
    page.get_by_role("dialog").get_by_label("Why").fill("drill is over")
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(row).to_contain_text("Trading")
    expect(held).to_have_count(0)


def test_switch_thrown_elsewhere_appears_by_itself(visit: Visit, api: httpx.Client, account: int) -> None:
    page, name = opened(visit, api, account)
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Trading")
    switch = {"scope": "account", "id": account, "state": "REDUCING", "reason": "from a program"}
    api.post("/api/risk/kill", json=switch).raise_for_status()

    expect(row).to_contain_text("Only reducing")
    api.post("/api/risk/kill", json=switch | {"state": "ACTIVE"}).raise_for_status()
    expect(row).to_contain_text("Trading")


def test_limits_are_set_for_one_account_and_hold(visit: Visit, api: httpx.Client, account: int) -> None:
    page, name = opened(visit, api, account)
    page.get_by_label("Limits of").select_option(label=name)
    expect(page.get_by_role("button", name="Save limits")).to_be_disabled()
    page.get_by_label("Open orders").fill("2.5")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_text("A whole number")).to_be_visible()
    # What only the server knows stands at its field too.
    page.get_by_label("Open orders").fill("200000")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_text("maxOpenOrders must be at most 100000")).to_be_visible()
    assert visit.violations() == []

    page.get_by_label("Open orders").fill("")
    page.get_by_label("Largest order", exact=True).fill("5")
    page.get_by_role("button", name="Save limits").click()
    expect(page.get_by_text("They hold from the next order on.")).to_be_visible()

    limits = api.get("/api/risk/limits", params={"accountId": account}).json()["limits"]
    assert (limits["maxOrderQuantity"], limits["maxOpenOrders"]) == (5, None)
    body = {"symbol": "RELIANCE", "exchange": "NSE", "transactionType": "BUY", "orderType": "MARKET"}
    refused = api.post(
        f"/api/brokers/accounts/{account}/orders", json=body | {"quantity": 6, "product": "MIS"}
    )
    assert refused.json()["error"]["code"] == "RISK_ORDER_QUANTITY_ABOVE_LIMIT"


def test_exit_all_closes_the_positions_of_one_account_once(
    visit: Visit, api: httpx.Client, account: int
) -> None:
    page, name = opened(visit, api, account)
    finished(api, account, place(api, account, symbol="SBIN", quantity=7)["orderId"])
    page.get_by_role("button", name="Exit all positions…").click()
    dialog = page.get_by_role("dialog", name="Exit all positions")
    dialog.get_by_label("Positions of").select_option(label=name)
    expect(dialog.get_by_role("button", name="Exit all")).to_be_disabled()
    dialog.get_by_label("Type EXIT").fill("EXIT")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Exit all").click()
    exits = dialog.get_by_role("list", name="Exits")
    expect(exits).to_contain_text("SBIN MIS, 7: order")
    dialog.get_by_role("button", name="Exit all").click()
    expect(exits.get_by_role("listitem")).to_have_count(1)

    def is_flat() -> bool:
        positions = api.get(f"/api/brokers/accounts/{account}/positions").json()["positions"]
        return all(each["quantity"] == 0 for each in positions)

    until(is_flat)
    assert len(orders_of(api, account)) == 2
