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
    visit.sign_in()
    page = visit.page
    page.goto(f"{visit.system.url}/audit")
    page.locator(".pill.live").wait_for()
    rows = page.get_by_role("region", name="Audit table").locator("tbody tr")
    rows.first.wait_for()
    assert visit.violations() == []

    page.get_by_label("Symbol").fill("sbin")
    export = page.get_by_role("link", name="Export CSV")
    expect(export).to_have_attribute("href", re.compile(r"symbol=SBIN"))
    expect(rows.first).to_contain_text("order.filled")
    expect(rows.first).to_contain_text("3/3 SBIN")
    expect(rows.last).to_contain_text("order.accepted")
    with page.expect_download() as exported:
        export.click()
    lines = list(csv.DictReader(exported.value.path().read_text().splitlines()))
    assert (lines[0]["type"], lines[-1]["type"]) == ("order.filled", "order.accepted")
    assert order["orderId"] in {line["order_id"] for line in lines}
    assert {line["symbol"] for line in lines} == {"SBIN"}

    page.get_by_label("Symbol").fill("")
    page.get_by_label("Kind").select_option(label="Accounts")
    expect(rows.first).to_contain_text("account.opened")
    page.get_by_label("Who").fill("nobody")
    expect(page.get_by_text("Nothing was recorded that fits")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    rows.first.wait_for()
