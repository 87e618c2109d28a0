"""Programs written for Zerodha, on paper: the official client with what `./vyomo sandbox` prints, and an account at the sandbox."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.e2e.conftest import PROJECT, System
from tests.e2e.support import finished, place, until


def test_bot_of_the_example_trades_and_its_order_is_seen_as_placed_elsewhere(
    system: System, api: httpx.Client, account: int, tmp_path: Path
) -> None:
    told = system.vyomo("sandbox", "kite", "--account", str(account), "--json").stdout
    assert list(json.loads(told)) == ["root_url", "ws_url", "api_key", "api_secret", "access_token"]
    assert urlsplit(json.loads(told)["root_url"]).port == system.status()["ports"]["kite"]
    file = tmp_path / "sandbox.json"
    file.write_text(told)

    bot = [sys.executable, PROJECT / "examples" / "kite_bot.py", file]
    output = subprocess.run(bot, capture_output=True, text=True, timeout=60, check=True).stdout

    assert "COMPLETE" in output
    assert "('RELIANCE', 10," in output

    def adopted() -> bool:
        orders = api.get(f"/api/brokers/accounts/{account}/orders").json()["orders"]
        return [(each["origin"], each["status"]) for each in orders] == [("external", "COMPLETE")]

    until(adopted)
    secrets = (json.loads(told)["api_secret"], json.loads(told)["access_token"])
    for log in (system.state / "logs").iterdir():
        assert not any(secret in log.read_text(errors="replace") for secret in secrets), log.name
    (position,) = api.get(f"/api/brokers/accounts/{account}/positions").json()["positions"]
    assert position["quantity"] == 10


def test_bot_for_angel_one_trades(system: System, api: httpx.Client, account: int, tmp_path: Path) -> None:
    told = system.vyomo("sandbox", "smartapi", "--account", str(account), "--json").stdout
    assert list(json.loads(told)) == ["root_url", "ws_url", "api_key", "client_code", "pin", "totp_secret"]
    file = tmp_path / "sandbox.json"
    file.write_text(told)

    # In a folder of its own: the client writes logs to where it stands. Its import asks the internet for an address: it hears no at once.
    output = subprocess.run(
        [sys.executable, PROJECT / "examples" / "smartapi_bot.py", file],
        cwd=tmp_path,
        env={"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert "complete" in output
    assert "('RELIANCE-EQ', '10'," in output

    def adopted() -> bool:
        orders = api.get(f"/api/brokers/accounts/{account}/orders").json()["orders"]
        return [(each["origin"], each["status"]) for each in orders] == [("external", "COMPLETE")]

    until(adopted)


def test_sandbox_says_what_is_wrong(system: System, api: httpx.Client) -> None:
    unknown = system.vyomo("sandbox", "kite", "--account", "99999", check=False)
    assert (unknown.returncode, unknown.stderr) == (1, "you have no account 99999\n")
    body = {"broker": "zerodha", "clientId": "SB0001", "environment": "sandbox"}
    live = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]

    other = system.vyomo("sandbox", "kite", "--account", str(live), check=False)

    assert other.returncode == 1
    assert "only paper accounts" in other.stderr


def test_zerodha_account_at_the_sandbox_signs_in_and_trades(api: httpx.Client) -> None:
    body = {"broker": "zerodha", "clientId": "SB0002", "environment": "sandbox"}
    account = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]
    path = f"/api/brokers/accounts/{account}"

    def login_url() -> str | None:
        answer = api.get(f"{path}/login")
        return answer.json()["loginUrl"] if answer.status_code == 200 else None

    page = urlsplit(until(login_url, seconds=20))  # the worker starts with the first account
    back = httpx.post(
        f"{page.scheme}://{page.netloc}{page.path}",
        content=page.query,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        trust_env=False,
    ).headers["location"]
    assert httpx.get(back, trust_env=False).status_code == 200

    placed = place(api, account, quantity=10)

    assert finished(api, account, placed["orderId"], seconds=20)["status"] == "COMPLETE"
