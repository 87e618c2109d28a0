"""An account at Zerodha from nothing to a filled order, as its user sees it: the worker starts by itself, login, order, the login's end."""

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.canaries import Eavesdropper, assert_nothing_leaked
from tests.e2e.conftest import System, run_vyomo
from tests.e2e.support import finished, place, until
from vyomo_broker_kit.testing.parrot import serving
from vyomo_broker_zerodha.testing import TinyKite

CLIENT_ID = "AB1234"


class KiteThread:
    """A little Kite with an event loop of its own, since these tests have none."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.kite = TinyKite(api_key="the-api-key", api_secret="the-api-secret")
        self._ready, self._over = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> TinyKite:
        self._thread.start()
        assert self._ready.wait(10)
        return self.kite

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        async with serving(self.kite):
            self._ready.set()
            await self._over.wait()


@pytest.fixture(scope="module")
def kite() -> Iterator[TinyKite]:
    with KiteThread() as kite:
        yield kite


def start(state: Path, kite: TinyKite) -> subprocess.CompletedProcess[str]:
    return run_vyomo(state, "up", "--detach", check=False, environment={"VYOMO_SANDBOX_KITE_URL": kite.url})


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, kite: TinyKite) -> Iterator[System]:
    """One of its own: its sandbox is the little Kite."""
    state = tmp_path_factory.mktemp("zerodha") / "state"
    started = start(state, kite)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        status = json.loads(run_vyomo(state, "status", "--json").stdout)
        yield System(state, status["url"], run_vyomo(state, "key").stdout.strip())
    finally:
        run_vyomo(state, "down", check=False)


@pytest.fixture
def heard(system: System) -> Iterator[Eavesdropper]:
    with Eavesdropper(system) as heard:
        yield heard


def log_in(api: httpx.Client, account: int, kite: TinyKite) -> httpx.Response:
    """What a person and their browser do."""
    url = until(lambda: api.get(f"/api/brokers/accounts/{account}/login").json().get("loginUrl"), seconds=20)
    query = parse_qs(urlsplit(url).query)
    assert query["api_key"] == ["the-api-key"]
    brought = parse_qs(query["redirect_params"][0])
    return api.get(
        "/api/brokers/zerodha/callback",
        params={"status": "success", "request_token": kite.request_token(), "state": brought["state"][0]},
        headers={"Authorization": ""},
    )


def test_from_account_to_order_to_the_end_of_the_login_and_a_restart(
    system: System, api: httpx.Client, kite: TinyKite, heard: Eavesdropper
) -> None:
    assert "broker-zerodha" not in {each["name"] for each in system.status()["services"]}
    body = {
        "broker": "zerodha",
        "clientId": CLIENT_ID,
        "environment": "sandbox",
        "apiKey": "the-api-key",
        "apiSecret": "the-api-secret",
    }
    created = api.post("/api/brokers/accounts", json=body)
    assert created.status_code == 201, created.text
    account = created.json()["account"]["id"]
    assert created.json()["account"]["session"]["state"] == "NO_SESSION"

    def refused() -> httpx.Response | None:
        answer = api.post(
            f"/api/brokers/accounts/{account}/login", json={"requestToken": "a-wrong-request-token"}
        )
        return None if answer.status_code == 503 else answer  # the worker is on its way

    wrong = until(refused, seconds=20)
    assert wrong.json()["error"]["code"] == "SIGN_IN_REFUSED", wrong.text
    back = log_in(api, account, kite)
    assert back.status_code == 200, back.text
    assert "broker-zerodha" in {each["name"] for each in system.status()["services"]}
    order = place(api, account, orderType="LIMIT", price=1400)
    assert finished(api, account, order["orderId"], seconds=20)["status"] == "COMPLETE"
    margins = until(lambda: api.get(f"/api/brokers/accounts/{account}/margins").json()["margins"])
    assert margins is not None

    kite.end_sessions()

    def session() -> str:
        return api.get(f"/api/brokers/accounts/{account}").json()["account"]["session"]["state"]

    later = place(api, account, orderType="LIMIT", price=1400)
    assert finished(api, account, later["orderId"], seconds=20)["status"] == "REJECTED"
    until(lambda: session() == "EXPIRED")
    assert log_in(api, account, kite).status_code == 200
    assert session() == "ACTIVE"
    last = place(api, account, orderType="LIMIT", price=1400)
    assert finished(api, account, last["orderId"], seconds=20)["status"] == "COMPLETE"
    assert len(kite.orders) == 2

    clear = ["the-api-secret", "a-wrong-request-token", *kite.access_tokens, *kite.issued_request_tokens]
    assert_nothing_leaked(system, heard, clear)

    system.vyomo("down")
    again = start(system.state, kite)
    assert again.returncode == 0, again.stdout

    def is_back() -> bool:
        services = {each["name"]: each["healthy"] for each in system.status()["services"]}
        return bool(services.get("broker-zerodha"))

    until(is_back, seconds=20)
