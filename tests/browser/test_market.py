"""The Market page: watchlists, quote, depth and candles, by keys and by mouse."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Visit
from tests.e2e.conftest import System


@pytest.fixture(scope="module")
def market(browser: Browser, system: System, axe: str) -> Iterator[Visit]:
    """A browser with an account, at the page; its watchlist is empty at first."""
    with system.client() as api:
        body = {"broker": "paper", "clientId": "MARKET", "initialCapital": 1_000_000}
        account = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]
    context = browser.new_context(viewport={"width": 1440, "height": 1060}, timezone_id="America/New_York")
    context.set_default_timeout(8_000)
    opened = Visit(context.new_page(), system, axe)
    opened.sign_in()
    opened.page.goto(f"{system.url}/market?account={account}")
    opened.page.locator(".pill.live").wait_for()
    yield opened
    opened.finish()
    context.close()


def test_a_watchlist_is_made_by_keys_and_kept(market: Visit) -> None:
    page = market.page
    expect(page.get_by_text("Nothing is watched here yet")).to_be_visible()
    assert market.violations() == []
    page.keyboard.press("/")
    for symbol in ("RELIANCE", "TCS"):
        page.keyboard.type(symbol)
        page.get_by_role("listbox").get_by_role("option").first.wait_for()
        page.keyboard.press("Enter")
    table = page.get_by_role("region", name="Watchlist table")
    picks = table.locator(".pick > span")
    expect(picks).to_have_text(["RELIANCE", "TCS"])

    table.get_by_role("button", name="RELIANCE").focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(picks).to_have_text(["TCS", "RELIANCE"])
    expect(table.get_by_role("button", name="RELIANCE")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="TCS quote")).to_be_visible()

    page.get_by_role("button", name="New watchlist").click()
    page.get_by_role("textbox", name="Name").fill("Options")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_label("Shown watchlist")).to_contain_text("Options (0)")
    page.reload()
    expect(page.get_by_label("Shown watchlist").locator("option:checked")).to_have_text("Options (0)")
    page.get_by_label("Shown watchlist").select_option(label="Watchlist (2)")
    expect(picks).to_have_text(["TCS", "RELIANCE"])


def test_prices_depth_and_candles_live(market: Visit) -> None:
    page = market.page
    page.goto(f"{market.system.url}/market?instrument=NSE:RELIANCE")
    quote = page.get_by_role("region", name="RELIANCE quote")
    expect(quote.locator(".depth tbody tr")).to_have_count(5)
    before = quote.locator(".last").inner_text()
    expect(quote.locator(".last")).not_to_have_text(before)
    chart = page.get_by_role("region", name="RELIANCE chart")
    page.get_by_role("group", name="Interval").get_by_role("button", name="1 minute").click()
    expect(chart.locator(".legend")).to_contain_text("Open")

    live = chart.locator(".legend").inner_text()
    # A minute that ends is waited for: the server is asked for the next one.
    expect(chart.locator(".legend")).not_to_have_text(live, timeout=15_000)
    chart.locator(".chart").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    walked = chart.locator(".legend").inner_text()
    page.wait_for_timeout(600)
    assert chart.locator(".legend").inner_text() == walked
    assert market.violations() == []
    page.get_by_role("button", name="Light theme").click()
    chart.get_by_role("button", name="Show as table").click()
    expect(page.get_by_role("region", name="Candles table").get_by_role("row")).to_have_count(101)
    assert market.violations() == []


def test_buy_opens_the_order_form_with_the_instrument(market: Visit) -> None:
    page = market.page
    page.goto(f"{market.system.url}/market?instrument=NSE:TCS")
    page.get_by_role("button", name="Sell TCS").click()

    expect(page.get_by_role("combobox", name="Symbol")).to_have_value("TCS")
    expect(page.get_by_role("radio", name="SELL")).to_be_checked()
    expect(page.get_by_label("Quantity")).to_be_focused()
    assert "instrument" not in page.url
    page.go_back()
    page.locator("body").press("b")
    expect(page.get_by_role("radio", name="BUY")).to_be_checked()
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value("TCS")


def test_an_instrument_nobody_lists_and_a_phone(market: Visit, api: httpx.Client) -> None:
    page = market.page
    assert api.get("/market").status_code == 200
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto(f"{market.system.url}/market?instrument=NSE:NOSUCH")

    expect(page.get_by_text("No price: not traded now")).to_be_visible()
    expect(page.get_by_role("region", name="NOSUCH chart").get_by_role("alert")).to_contain_text(
        "not known on NSE"
    )
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert market.violations() == []
