"""Angel One's own Python client, unmodified but for the root: a program of a user that trades here."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from vyomo_paper_exchange.testing.smartapi import API_KEY, PIN, SmartWorld

_CLIENTS: Final = Path(__file__).parent / "clients"


async def test_python_client_trades_and_streams(angel: SmartWorld, tmp_path: Path) -> None:
    told = {
        "root_url": angel.root,
        "ws_root": angel.ws_root,
        "api_key": API_KEY,
        "client_code": angel.client_code,
        "pin": PIN,
        "totp": angel.totp(),
    }

    seen = await run(tmp_path, told)

    resting, bought = seen["ids"]
    assert (seen["signed_in"], seen["client"]) == (True, angel.client_code)
    assert seen["orders"] == {resting: "cancelled", bought: "complete"}
    assert seen["details"] == "complete"
    assert (sum(seen["trades"]), seen["net"]) == (5, ["5"])
    assert (seen["empty"], seen["holdings"], seen["funds"]) == (None, [None, None], True)
    assert (seen["depth"], seen["candles"]) == (5, 1)
    assert (seen["streamed"], seen["tick"]) == ([True, True], ["2885", 5, 5])
    assert (seen["refused"], seen["code"]) == (None, "AB4008")
    assert (seen["renewed"], seen["left"], seen["after"]) == (True, True, "AG8001")


async def run(folder: Path, told: dict[str, str]) -> dict[str, Any]:
    """In a folder that is thrown away: the client writes its logs, with every secret of a failed call, to where it stands."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        _CLIENTS / "trader.py",
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), 50)
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output.splitlines()[-1])
    return seen
