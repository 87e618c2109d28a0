"""Acceptance of the dashboard, as a trader uses it."""

import itertools

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Visit
from tests.e2e.conftest import System
from tests.e2e.support import far_price, place, until
from vyomo_dashboard.build import DIST

_numbers = itertools.count(1)


def account_of(api: httpx.Client, name: str) -> int:
    body = {"broker": "paper", "clientId": f"{name}{next(_numbers)}", "initialCapital": 1_000_000}
    answer = api.post("/api/brokers/accounts", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["account"]["id"])


def opened(visit: Visit, api: httpx.Client, name: str) -> int:
    """An account of the test's own, looked at."""
    account = account_of(api, name)
    visit.sign_in()
    visit.page.goto(f"{visit.system.url}/broker-management?account={account}")
    visit.page.locator(".pill.live").wait_for()
    return account


def orders_of(api: httpx.Client, account: int) -> list[dict[str, object]]:
    return api.get(f"/api/brokers/accounts/{account}/orders").json()["orders"]


def row(visit: Visit, symbol: str) -> Locator:
    return (
        visit.page.get_by_role("region", name="Orders table").get_by_role("row").filter(has_text=symbol).first
    )


def test_first_visit_leads_to_a_filled_order_by_keys_alone(visit: Visit, api: httpx.Client) -> None:
    page = visit.page
    visit.sign_in()
    current = page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")
    expect(current).to_have_text("Broker Integration")
    assert "token" not in page.url
    for button, broker in (("Connect Zerodha", "zerodha"), ("Connect Angel One", "angel")):
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog").get_by_role("radio", name=broker)).to_be_checked()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Start on paper").click()
    expect(page.locator("article.card.paper")).to_contain_text("₹10,00,000.00")
    assert visit.violations() == []

    page.get_by_role("region", name="Place order").wait_for()
    page.keyboard.press("b")
    page.keyboard.type("RELIANCE")
    page.get_by_role("listbox").get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Quantity")).to_be_focused()
    page.keyboard.type("10")
    page.keyboard.press("Control+Enter")

    expect(row(visit, "RELIANCE")).to_contain_text("COMPLETE")
    expect(page.get_by_role("region", name="Positions table")).to_contain_text("RELIANCE")
    expect(page.locator(".margin.used strong")).not_to_have_text("₹0.00")
    account = api.get("/api/brokers/accounts").json()["accounts"][0]["id"]
    (order,) = orders_of(api, account)
    expect(page.locator(".sent")).to_contain_text(str(order["orderId"]))
    assert visit.violations() == []


def test_hasty_presses_make_one_order(visit: Visit, api: httpx.Client) -> None:
    account = opened(visit, api, "HASTY")
    fill_form(visit, "TCS", "5")
    submit = visit.page.locator("button.submit")
    submit.dblclick()
    visit.page.keyboard.press("Enter")
    until(lambda: orders_of(api, account))
    visit.page.wait_for_timeout(500)

    assert len(orders_of(api, account)) == 1


def fill_form(visit: Visit, symbol: str, quantity: str) -> None:
    page = visit.page
    page.get_by_role("combobox", name="Symbol").fill(symbol)
    page.get_by_role("listbox").get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_label("Quantity").fill(quantity)


@pytest.mark.parametrize(
    ("kind", "prices"),
    [("MARKET", ()), ("LIMIT", ("Price",)), ("SL", ("Price", "Trigger price")), ("SL-M", ("Trigger price",))],
)
def test_each_type_asks_for_its_prices_and_sends_nothing_wrong(
    visit: Visit, api: httpx.Client, kind: str, prices: tuple[str, ...]
) -> None:
    account = opened(visit, api, "RULES")
    page = visit.page
    fill_form(visit, "INFY", "0")
    page.get_by_role("radio", name=kind, exact=True).check(force=True)

    asked = [name for name in ("Price", "Trigger price") if page.get_by_label(name, exact=True).is_enabled()]
    assert asked == list(prices)
    page.locator("button.submit").click()
    expect(page.get_by_label("Quantity")).to_be_focused()
    expect(page.get_by_label("Quantity")).to_have_attribute("aria-invalid", "true")
    if "Price" in prices:
        page.get_by_label("Quantity").fill("1")
        page.get_by_label("Price", exact=True).fill("1234.567")
        page.locator("button.submit").click()
        expect(page.get_by_text("A multiple of the tick")).to_be_visible()
    assert orders_of(api, account) == []


def test_refusal_keeps_the_form_and_says_why(visit: Visit, api: httpx.Client) -> None:
    account = opened(visit, api, "POOR")
    page = visit.page
    fill_form(visit, "RELIANCE", "50000")
    page.locator("button.submit").click()

    expect(row(visit, "RELIANCE")).to_contain_text("REJECTED")
    expect(row(visit, "RELIANCE")).to_contain_text("margin")
    expect(page.get_by_label("Quantity")).to_have_value("50000")
    assert len(orders_of(api, account)) == 1
    assert visit.violations() == []


def test_cancel_asks_for_a_reason_and_believes_the_broker_alone(visit: Visit, api: httpx.Client) -> None:
    account = opened(visit, api, "CANCEL")
    page = visit.page
    order = place(api, account, orderType="LIMIT", price=far_price(api), quantity=3)
    row(visit, "RELIANCE").get_by_role("button", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel order")
    expect(dialog.get_by_role("button", name="Keep order")).to_be_focused()
    expect(dialog.get_by_role("button", name="Cancel order")).to_be_disabled()
    assert visit.violations() == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert orders_of(api, account)[0]["status"] == "PENDING"

    row(visit, "RELIANCE").get_by_role("button", name="Cancel").click()
    dialog.get_by_role("radio", name="Plan changed").check(force=True)
    dialog.get_by_role("button", name="Cancel order").click()

    expect(row(visit, "RELIANCE")).to_contain_text("CANCELLED")
    events = api.get(f"/api/brokers/accounts/{account}/orders/{order['orderId']}/events").json()["events"]
    assert events[-1]["order"]["reason"] == "Plan changed"
    row(visit, "RELIANCE").get_by_role("button", name="history").click()
    expect(page.get_by_role("dialog")).to_contain_text("Plan changed")


def test_orders_from_elsewhere_appear_by_themselves(visit: Visit, api: httpx.Client) -> None:
    account = opened(visit, api, "LIVE")
    place(api, account, symbol="SBIN", quantity=4)

    expect(row(visit, "SBIN")).to_contain_text("COMPLETE")
    position = (
        visit.page.get_by_role("region", name="Positions table").get_by_role("row").filter(has_text="SBIN")
    )
    expect(position).to_contain_text("4")
    position.get_by_role("button", name="Exit").click()
    expect(visit.page.locator("button.submit")).to_contain_text("SELL 4 SBIN")


def test_stop_halts_everything_and_only_a_reason_lets_it_go_on(visit: Visit, api: httpx.Client) -> None:
    account = opened(visit, api, "STOP")
    page = visit.page
    place(api, account, orderType="LIMIT", price=far_price(api))
    page.get_by_role("button", name="STOP", exact=True).click()
    page.get_by_label("Type STOP").fill("STOP")
    page.keyboard.press("Enter")

    banner = page.get_by_role("alert", name="Trading is held back")
    expect(banner).to_contain_text("Trading is halted")
    until(lambda: orders_of(api, account)[0]["status"] == "CANCELLED")
    assert visit.violations() == []
    fill_form(visit, "ITC", "1")
    page.locator("button.submit").click()
    expect(page.get_by_text("TRADING_HALTED")).to_be_visible()
    expect(banner.get_by_role("button", name="Release")).to_be_disabled()
    banner.get_by_label("Reason to go on").fill("drill is over")
    banner.get_by_role("button", name="Release").click()
    expect(banner).to_be_hidden()


def test_gateway_that_drops_is_seen_and_what_was_missed_is_read(
    visit: Visit, api: httpx.Client, system: System
) -> None:
    account = opened(visit, api, "DROP")
    page = visit.page
    fill_form(visit, "ITC", "1")
    page.context.set_offline(True)
    page.evaluate("() => window.dispatchEvent(new Event('offline'))")
    system.vyomo("status", check=False)
    expect(page.locator(".pill.disconnected")).to_be_visible()
    expect(page.locator("button.submit")).to_be_disabled()
    place(api, account, symbol="SBIN")
    page.context.set_offline(False)

    expect(page.locator(".pill.live")).to_be_visible()
    expect(row(visit, "SBIN")).to_contain_text("COMPLETE")
    expect(page.get_by_label("Quantity")).to_have_value("1")


def test_zerodha_by_redirect_from_account_to_filled_order(visit: Visit, api: httpx.Client) -> None:
    opened(visit, api, "OTHER")
    page = visit.page
    page.get_by_role("button", name="Add account").click()
    dialog = page.get_by_role("dialog", name="Add account")
    dialog.get_by_role("radio", name="zerodha").check(force=True)
    dialog.get_by_role("radio", name="Sandbox").check(force=True)
    dialog.get_by_label("Client id").fill("SB0001")
    assert visit.violations() == []
    dialog.get_by_role("button", name="Add account").click()

    card = page.locator("article.card.zerodha")
    expect(card).to_contain_text("Not signed in yet")
    expect(card).to_contain_text("SANDBOX")
    expect(page.get_by_text("Log in to Zerodha SB0001 first")).to_be_visible()

    card.get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Go to Zerodha").click()
    page.wait_for_url("**/connect/login?**", timeout=30_000)
    visit.elsewhere.clear()  # the sandbox's own page, on another port of this machine
    page.get_by_role("button", name="Sign in").click()

    expect(card).to_contain_text("Signed in")
    assert "token" not in page.url
    fill_form(visit, "RELIANCE", "5")
    page.keyboard.press("Control+Enter")
    expect(row(visit, "RELIANCE")).to_contain_text("COMPLETE", timeout=30_000)
    expect(page.get_by_role("region", name="Positions table")).to_contain_text("RELIANCE", timeout=15_000)
    visit.elsewhere.clear()


def test_looks_hold_in_light_narrow_and_colour_blind(visit: Visit, api: httpx.Client) -> None:
    opened(visit, api, "LOOKS")
    page = visit.page
    page.goto(f"{visit.system.url}/settings")
    page.get_by_role("radio", name="Light").check(force=True)
    page.get_by_role("radio", name="Colour-blind").check(force=True)
    assert visit.violations() == []
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{visit.system.url}/broker-management")
    page.get_by_role("region", name="Place order").wait_for()
    assert visit.violations() == []
    wide = """() => [...document.querySelectorAll('main *, header *, nav *')]
        .filter(each => each.getBoundingClientRect().right > 321 && !each.closest('.scroll, .unseen'))
        .map(each => each.tagName + '.' + each.className)"""
    assert page.evaluate(wide) == []


def test_signed_out_browser_sees_nothing_more(visit: Visit, api: httpx.Client) -> None:
    opened(visit, api, "OUT")
    page = visit.page
    cookies = page.context.cookies()
    assert [(each.get("httpOnly"), each.get("sameSite")) for each in cookies] == [(True, "Strict")]
    assert page.evaluate("() => document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in to Vyomo")).to_be_visible()
    assert visit.violations() == []
    page.goto(f"{visit.system.url}/broker-management")
    expect(page.get_by_role("heading", name="Sign in to Vyomo")).to_be_visible()


def test_first_load_stays_within_its_budget(system: System) -> None:
    """In bytes as they cross the network; see the table of budgets in the dashboard's design."""
    page = httpx.get(f"{system.url}/broker-management", trust_env=False)
    assets = list((DIST / "assets").glob("*.gz"))
    first = [path for path in assets if path.stem in page.text]
    script = sum(path.stat().st_size for path in first if ".js" in path.suffixes)
    style = sum(path.stat().st_size for path in first if ".css" in path.suffixes)

    assert 0 < script <= 180 * 1024
    assert 0 < style <= 15 * 1024
    assert script + style + len(page.content) <= 250 * 1024
    later = {path.name: path.stat().st_size for path in assets if path not in first}
    assert max(later.values()) <= 60 * 1024, later


def test_page_stays_small(visit: Visit, api: httpx.Client) -> None:
    opened(visit, api, "SMALL")

    assert visit.page.evaluate("() => document.querySelectorAll('*').length") <= 3000
