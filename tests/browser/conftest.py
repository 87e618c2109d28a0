"""The whole system and a real browser: the dashboard as its user has it. Needs Chromium; says how to get it where it is missing."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.conftest import System, run_vyomo
from tests.e2e.support import until
from vyomo_dashboard.build import WEB, alone, install, node_paths

FOLDER = Path(__file__).resolve().parent
CHROMIUM = os.environ.get("VYOMO_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE_SECONDS = 180
"""A first build fetches packages."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = pytest.mark.skip(reason="no Chromium: apt-get install chromium, or VYOMO_CHROMIUM=/path/to/it")
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.xdist_group("browser"))
            if CHROMIUM is None:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    state = tmp_path_factory.mktemp("browser") / "state"
    started = run_vyomo(state, "up", "--detach", check=False)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        status = json.loads(run_vyomo(state, "status", "--json").stdout)
        opened = System(state, status["url"], run_vyomo(state, "key").stdout.strip())
        until(lambda: _is_built(opened.url), seconds=PAGE_SECONDS)
        yield opened
    finally:
        run_vyomo(state, "down", check=False)


def _is_built(url: str) -> bool:
    answer = httpx.get(f"{url}/broker-management", trust_env=False)
    assert answer.status_code != 500, answer.text
    return answer.status_code == 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than its tests: while it is open, Playwright's own event loop runs in this process, and no other test's could."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, from the page's development packages."""
    node, npm = node_paths()
    with alone():
        install(WEB, node, npm, for_development=True)
    return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def api(system: System) -> Iterator[httpx.Client]:
    with system.client() as client:
        yield client


class Visit:
    """One browser with a profile of its own, signed in; what goes wrong in it is kept."""

    def __init__(self, page: Page, system: System, axe: str) -> None:
        self.page = page
        self.system = system
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self._axe = axe
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._asked(request.url))

    def _note(self, kind: str, text: str) -> None:
        # A refusal that the page shows is also a line in the console, which the browser writes by itself.
        if kind == "error" and "the server responded with a status of" not in text:
            self.errors.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.system.url, "data:", "ws://127.0.0.1")):
            self.elsewhere.append(url)

    def sign_in(self) -> None:
        self.page.goto(self.system.vyomo("link").stdout.strip())
        self.page.locator(".pill.live").wait_for()

    def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 A and AA."""
        self.page.evaluate(self._axe)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        result: dict[str, Any] = self.page.evaluate(
            "tags => axe.run({runOnly: {type: 'tag', values: tags}})", tags
        )
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in result["violations"]
            for node in each["nodes"]
        ]

    def finish(self) -> None:
        assert self.errors == []
        assert self.elsewhere == []


@pytest.fixture
def visit(browser: Browser, system: System, axe: str) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000}, timezone_id="America/New_York", locale="en-US"
    )
    context.set_default_timeout(8_000)
    opened = Visit(context.new_page(), system, axe)
    yield opened
    opened.finish()
    context.close()
