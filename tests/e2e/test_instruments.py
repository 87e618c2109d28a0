"""The dumps that both doors serve are the brokers' own: read by the workers' parsers they name what our record names."""

import io
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import System
from vyomo_broker_angel.instruments import listed as angel_listed
from vyomo_broker_angel.mapping import EXCHANGES
from vyomo_broker_kit.instruments.listed import Listed
from vyomo_broker_zerodha.instruments import listed as kite_listed


def of_door(root: str, path: str, **headers: str) -> io.BytesIO:
    answer = httpx.get(root + path, headers=headers, trust_env=False, timeout=15)
    assert answer.status_code == 200, answer.text
    return io.BytesIO(answer.content)


def by_key(rows: Iterator[Listed | None]) -> dict[str, Listed]:
    listed = list(rows)
    assert None not in listed
    return {f"{row.exchange}:{row.symbol}": row for row in listed if row is not None}


@pytest.fixture(scope="module")
def built_in(system: System) -> dict[str, dict[str, object]]:
    with system.client() as api:
        found = {
            each["instrument"]: each
            for text in ("NIFTY", "BANKNIFTY", "RELIANCE", "SENSEX", "GOLD", "TCS", "CRUDE")
            for each in api.get("/api/instruments", params={"q": text, "limit": 100}).json()["instruments"]
        }
    assert len(found) > 200
    return found


def test_both_brokers_lists_name_what_our_record_names(
    system: System, account: int, built_in: dict[str, dict[str, object]]
) -> None:
    told = json.loads(system.vyomo("sandbox", "kite", "--account", str(account), "--json").stdout)
    session = {"X-Kite-Version": "3", "Authorization": f"token {told['api_key']}:{told['access_token']}"}
    smartapi = f"http://127.0.0.1:{system.status()['ports']['smartapi']}"
    kite = by_key(kite_listed(of_door(told["root_url"], "/instruments", **session)))
    angel = by_key(angel_listed(of_door(smartapi, "/OpenAPI_File/files/OpenAPIScripMaster.json")))

    for key, ours in built_in.items():
        assert (kite[key].kind, kite[key].lot_size) == (ours["kind"], ours["lotSize"]), key
        if ours["exchange"] in EXCHANGES:
            assert (angel[key].kind, angel[key].lot_size) == (ours["kind"], ours["lotSize"]), key
            assert angel[key].expiry == kite[key].expiry
            assert angel[key].strike == kite[key].strike
