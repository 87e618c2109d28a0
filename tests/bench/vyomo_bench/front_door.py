"""The Kite front door under the largest subscription that Kite allows: how many ticks come, and how many should have and did not."""

import asyncio
import hashlib
import json
import time
from collections import defaultdict
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect

from vyomo_broker_zerodha.ticks import decode

from .bench import Bench, Results
from .errors import BenchError
from .http_client import HttpConnection, Target

_INSTRUMENTS: Final = 3_000
_SETTLE_SECONDS: Final = 30.0
"""Longest wait for the first tick of each: finding the day's range of an instrument is dear, and happens once a day."""


async def front_door(bench: Bench) -> Results:
    """Every instrument must show a new second in each second: one that is missing is a tick lost."""
    account = await bench.new_account("BENCH-DOOR")
    api = await bench.api()
    made = (await api.call("POST", f"/api/brokers/accounts/{account}/sandbox", {"protocol": "kite"})).json()
    api.close()
    told: dict[str, str] = made["sandbox"]
    token = await _sign_in(told)
    tokens = await _instruments(told, token)
    seconds = await _seconds_shown(bench, told, token, tokens)
    span = bench.sizes.window_seconds * 1.5
    missed = sum(max(int(span) - len(shown), 0) for shown in seconds.values())
    missed += (len(tokens) - len(seconds)) * int(span)
    return {
        "door_ticks_per_s": round(sum(len(shown) for shown in seconds.values()) / span, 1),
        "door_ticks_lost": missed,
    }


async def _seconds_shown(
    bench: Bench, told: dict[str, str], token: str, tokens: list[int]
) -> dict[int, list[float]]:
    """The times on the ticks of each instrument, as they came within the window."""
    shown: defaultdict[int, list[float]] = defaultdict(list)
    query = urlencode({"api_key": told["apiKey"], "access_token": token})
    async with connect(f"{told['wsUrl']}?{query}", proxy=None, max_size=None) as socket:
        await socket.send(json.dumps({"a": "subscribe", "v": tokens}))
        await socket.send(json.dumps({"a": "mode", "v": ["full", tokens]}))
        ends = time.monotonic() + _SETTLE_SECONDS
        while len(shown) < len(tokens) and time.monotonic() < ends:
            await _hear(socket, shown)
        shown.clear()
        ends = time.monotonic() + bench.sizes.window_seconds * 1.5
        while time.monotonic() < ends:
            await _hear(socket, shown)
    return shown


async def _hear(socket: ClientConnection, shown: defaultdict[int, list[float]]) -> None:
    async with asyncio.timeout(5):
        message = await socket.recv()
    if isinstance(message, bytes):
        for tick in decode(message):
            shown[tick.token].append(tick.exchange_time or 0.0)


async def _sign_in(told: dict[str, str]) -> str:
    page = await _post(told, "/connect/login", {"v": "3", "api_key": told["apiKey"]}, accept=True)
    request_token = page["request_token"]
    proof = hashlib.sha256(f"{told['apiKey']}{request_token}{told['apiSecret']}".encode()).hexdigest()
    form = {"api_key": told["apiKey"], "request_token": request_token, "checksum": proof}
    token: str = (await _post(told, "/session/token", form))["access_token"]
    return token


async def _instruments(told: dict[str, str], token: str) -> list[int]:
    target = _target(told)
    _, writer = opened = await asyncio.open_connection(target.host, target.port)
    headers = {"Authorization": f"token {told['apiKey']}:{token}", "Connection": "close"}
    writer.write(target.request("GET", "/instruments", headers=headers))
    text = (await opened[0].read()).decode()
    writer.close()
    # Chunk lengths stand between the rows; they have no commas.
    rows = [line.partition(",") for line in text.split("\n") if line.count(",") >= 11]
    tokens = [int(first) for first, _, _ in rows if first.isdigit()][:_INSTRUMENTS]
    if len(tokens) < _INSTRUMENTS:
        raise BenchError(f"the door lists {len(tokens)} instruments only")
    return tokens


async def _post(told: dict[str, str], path: str, form: dict[str, str], *, accept: bool = False) -> Any:
    target, body = _target(told), urlencode(form).encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        **({"Accept": "application/json"} if accept else {}),
    }
    connection = await HttpConnection.open(target)
    reply = await connection.ask(target.request("POST", path, headers=headers) + body)
    connection.close()
    if reply.status != 200:
        raise BenchError(f"the door answers {path} with {reply.status}: {reply.body[:300]!r}")
    return reply.json()["data"]


def _target(told: dict[str, str]) -> Target:
    parts = urlsplit(told["rootUrl"])
    return Target(parts.hostname or "127.0.0.1", parts.port or 80)
