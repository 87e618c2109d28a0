"""The Audit page: who did what, narrowed, and taken along."""

import csv
import re

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_dashboard import account_of
from tests.e2e.support import finished, place


def test_what_happened_is_found_and_taken_along(visit: Visit, api: httpx.Client) -> None:
    account = account_of(api, "AUDIT")
    order = finished(api, account, place(api, account, symbol="SBIN", quantity=3)["orderId"])
    place(api, account, symbol="TCS", quantity=1)
    name = api.get(f"/api/brokers/accounts/{account}").json()["account"]["clientId"]
    visit.sign_in()
    page = visit.page
    page.goto(f"{visit.system.url}/audit")
    page.locator(".pill.live").wait_for()
    rows = page.get_by_role("region", name="Audit table").locator("tbody tr")
    rows.first.wait_for()
    assert visit.violations() == []

    filters = page.get_by_role("form", name="Filters")
    filters.get_by_label("Account", exact=True).select_option(label=f"Paper {name}")
    filters.get_by_label("Symbol").fill("sbin")
    expect(rows).to_have_count(2)
    export = page.get_by_role("link", name="Export CSV")
    expect(export).to_have_attribute("href", re.compile(rf"accountId={account}&symbol=SBIN"))
    expect(rows.first).to_contain_text("order.filled")
    expect(rows.first).to_contain_text("3/3 SBIN")
    expect(rows.last).to_contain_text("order.accepted")
    with page.expect_download() as exported:
        export.click()
    lines = list(csv.DictReader(exported.value.path().read_text().splitlines()))
    assert [line["type"] for line in lines] == ["order.filled", "order.accepted"]
    assert {line["order_id"] for line in lines} == {order["orderId"]}
    assert {line["symbol"] for line in lines} == {"SBIN"}

    filters.get_by_label("Symbol").fill("")
    filters.get_by_label("Kind").select_option(label="Accounts")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("account.opened")
    filters.get_by_label("Who").fill("nobody")
    expect(page.get_by_text("Nothing was recorded that fits")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    rows.first.wait_for()
