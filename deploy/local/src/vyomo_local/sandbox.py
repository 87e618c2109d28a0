"""`./vyomo sandbox kite|smartapi`: what a program written for a broker needs to trade on a paper account, printed once.

The secrets are made by the gateway. For Kite the sign-in is made as well, as a browser would, so that a program can begin at once.
"""

import argparse
import hashlib
import json
import sys
import urllib.error
import urllib.request
from typing import Any, Final, cast
from urllib.parse import urlencode

from vyomo_local.state import StateFolder, command

EXIT_FAILED: Final = 1
EXIT_NOT_RUNNING: Final = 3
_TIMEOUT_SECONDS: Final = 10.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""All of it is on this machine: no proxy of the environment is asked."""

FIELDS: Final = {
    "kite": ("root_url", "ws_url", "api_key", "api_secret", "access_token"),
    "smartapi": ("root_url", "ws_url", "api_key", "client_code", "pin", "totp_secret"),
}
_NAMES: Final = {
    "root_url": "rootUrl",
    "ws_url": "wsUrl",
    "api_key": "apiKey",
    "api_secret": "apiSecret",
    "client_code": "clientCode",
    "pin": "pin",
    "totp_secret": "totpSecret",
}


class SandboxError(Exception):
    """It did not work, and the message says why."""


def add_sandbox_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("protocol", choices=tuple(FIELDS), help="which broker's protocol the program speaks")
    parser.add_argument("--account", type=int, required=True, metavar="ID", help="a paper account of yours")
    parser.add_argument(
        "--profile",
        choices=("strict_2026", "legacy"),
        default="strict_2026",
        help="which of the broker's rules hold: those since April 2026, or those before (default: strict_2026)",
    )
    parser.add_argument(
        "--redirect-url", metavar="URL", help="where Kite's login page shall send the browser"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def sandbox(state: StateFolder, options: argparse.Namespace) -> int:
    status = state.read_status() or {}
    url = status.get("url")
    if state.running_supervisor() is None or url is None:
        sys.stderr.write(f"Vyomo is not running: start it with {command(state, 'up')}\n")
        return EXIT_NOT_RUNNING
    try:
        made = _made(url, state.api_key.read_text(encoding="ascii").strip(), options)
    except (SandboxError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    if options.json:
        sys.stdout.write(json.dumps(made, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{name:<14}{value}\n" for name, value in made.items())
    return 0


def _made(url: str, key: str, options: argparse.Namespace) -> dict[str, str]:
    body = {"protocol": options.protocol, "profile": options.profile}
    if options.redirect_url:
        body["redirectUrl"] = options.redirect_url
    answer = _call(
        f"{url}/api/brokers/accounts/{options.account}/sandbox",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )["sandbox"]
    made = {name: answer[_NAMES[name]] for name in FIELDS[options.protocol] if name in _NAMES}
    if options.protocol == "kite":
        made["access_token"] = _sign_in(made)
    return made


def _sign_in(made: dict[str, str]) -> str:
    """As Kite's login flow goes, with the page's answer as JSON instead of a redirect."""
    root, api_key = made["root_url"], made["api_key"]
    page = _call(f"{root}/connect/login", _form(v="3", api_key=api_key), {"Accept": "application/json"})
    request_token = page["data"]["request_token"]
    proof = hashlib.sha256(f"{api_key}{request_token}{made['api_secret']}".encode()).hexdigest()
    form = _form(api_key=api_key, request_token=request_token, checksum=proof)
    token: str = _call(f"{root}/session/token", form, {})["data"]["access_token"]
    return token


def _form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def _call(url: str, body: bytes, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - our own http addresses
    try:
        with _DIRECT.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise SandboxError(_reason(error.read()) or f"{error.code} {error.reason}") from None
    except (urllib.error.URLError, TimeoutError) as error:
        raise SandboxError(f"no answer from {url.partition('?')[0]}: {error}") from None


def _reason(body: bytes) -> str | None:
    """The sentence in an error of the API, or of Kite."""
    try:
        document: object = json.loads(body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    fields = cast("dict[str, Any]", document)
    message = fields["error"]["message"] if "error" in fields else fields.get("message")
    return None if message is None else str(message)
