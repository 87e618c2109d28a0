"""Takes the screenshots of the documentation: starts a system of its own, trades a little on paper, and photographs each page.

python docs/take_screenshots.py          (needs Chromium)
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Page, sync_playwright

PROJECT: Final = Path(__file__).resolve().parents[1]
IMAGES: Final = PROJECT / "docs" / "images"
ORDERS: Final = (
    {"symbol": "RELIANCE", "transactionType": "BUY", "quantity": 20, "product": "MIS"},
    {"symbol": "TCS", "transactionType": "SELL", "quantity": 10, "product": "MIS"},
    {"symbol": "INFY", "transactionType": "BUY", "quantity": 25, "product": "MIS"},
)

SHARES: Final = ("NIFTY", "BANKNIFTY", "RELIANCE", "HDFCBANK", "INFY", "TCS", "SBIN", "ICICIBANK")
WATCHLISTS: Final[dict[str, Any]] = {
    "lists": [{"id": 1, "name": "Large caps", "instruments": [f"NSE:{each}" for each in SHARES]}],
    "chosen": 1,
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        try:
            vyomo(state, "up", "--detach", "--port", "3911")
            take(state)
        finally:
            vyomo(state, "down", check=False)
    return 0


def take(state: Path) -> None:
    url = json.loads(vyomo(state, "status", "--json"))["url"]
    api = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {vyomo(state, 'key').strip()}"})
    while api.get("/broker-management").status_code != 200:
        time.sleep(1)
    trade(api)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 1060})
        page.goto(vyomo(state, "link").strip())
        page.locator(".pill.live").wait_for()
        for theme in ("dark", "light"):
            page.evaluate("theme => localStorage.setItem('vyomo.theme', theme)", theme)
            photograph(page, f"{url}/broker-management?account=1", IMAGES / f"broker-management-{theme}.png")
            photograph_market(page, url, IMAGES / f"market-{theme}.png")
            photograph(page, f"{url}/risk", IMAGES / f"risk-{theme}.png")
            photograph(page, f"{url}/audit", IMAGES / f"audit-{theme}.png")
            photograph(page, f"{url}/settings", IMAGES / f"settings-{theme}.png")
        browser.close()


def photograph(page: Page, url: str, path: Path) -> None:
    page.goto(url)
    page.locator(".pill.live").wait_for()
    symbol = page.get_by_role("combobox", name="Symbol")
    if symbol.count():
        symbol.fill("HDFCBANK")
        page.get_by_role("listbox").get_by_role("option").first.wait_for()
        page.keyboard.press("Enter")
        page.locator(".depth").wait_for()
    page.wait_for_timeout(2500)
    page.screenshot(path=path)


def photograph_market(page: Page, url: str, path: Path) -> None:
    page.goto(f"{url}/market?instrument=NSE:RELIANCE")
    page.evaluate("stored => localStorage.setItem('vyomo.watchlists', JSON.stringify(stored))", WATCHLISTS)
    page.reload()
    page.locator(".chart canvas").first.wait_for()
    page.locator(".marketquote .depth").wait_for()
    page.wait_for_timeout(2500)
    page.screenshot(path=path)


def trade(api: httpx.Client) -> None:
    for body in (
        {"broker": "paper", "clientId": "SWING", "initialCapital": 1_000_000},
        {"broker": "zerodha", "clientId": "SB0001", "environment": "sandbox"},
        {"broker": "angel", "clientId": "SB0002", "environment": "sandbox"},
    ):
        api.post("/api/brokers/accounts", json=body).raise_for_status()
    rest = {"exchange": "NSE", "orderType": "MARKET", "validity": "DAY"}
    for order in ORDERS:
        api.post("/api/brokers/accounts/1/orders", json=rest | order).raise_for_status()
    (found,) = api.get("/api/instruments", params={"q": "SBIN", "exchange": "NSE", "limit": 1}).json()[
        "instruments"
    ]
    waiting: dict[str, Any] = {"orderType": "LIMIT", "price": found["lowerBand"], "symbol": "SBIN"}
    api.post(
        "/api/brokers/accounts/1/orders",
        json=rest | waiting | {"transactionType": "BUY", "quantity": 5, "product": "CNC"},
    ).raise_for_status()


def vyomo(state: Path, *arguments: str, check: bool = True) -> str:
    command = [sys.executable, "-m", "vyomo_local", "--state", str(state), *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if check and done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
