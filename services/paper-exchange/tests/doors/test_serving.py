"""Doors in the exchange's own process: beside it, never in its way."""

import socket
from pathlib import Path

import httpx

from vyomo_ledger.testing import record_world
from vyomo_paper_exchange.bootstrap import paper_exchange
from vyomo_paper_exchange.settings import PaperExchangeSettings
from vyomo_service_kit.embedded.ports import choose_port
from vyomo_service_kit.sealing import ensure_keys


def settings(database_url: str, nats_url: str, **doors: object) -> PaperExchangeSettings:
    return PaperExchangeSettings.model_validate(
        {
            "nats_url": nats_url,
            "postgres_url": database_url,
            "partitions": 2,
            "log_level": "error",
            **doors,
        }
    )


async def test_door_listens_where_a_port_is_set_and_a_taken_port_stops_nothing(
    database_url: str, nats_url: str, tmp_path: Path
) -> None:
    ensure_keys(tmp_path / "keys")
    port, other = choose_port(0), choose_port(0)
    told = settings(
        database_url,
        nats_url,
        keys_dir=tmp_path / "keys",
        kite_door_port=port,
        smartapi_door_port=other,
    )
    async with (
        record_world(database_url, nats_url, partitions=2),
        httpx.AsyncClient(trust_env=False) as client,
    ):
        async with paper_exchange(told):
            answer = await client.get(f"http://127.0.0.1:{port}/orders")
            assert (answer.status_code, answer.json()["error_type"]) == (403, "TokenException")
            assert (await client.get(f"http://127.0.0.1:{port}/_vyomo/faults")).status_code == 403
            angel = await client.get(f"http://127.0.0.1:{other}/rest/secure/angelbroking/user/v1/getRMS")
            assert angel.json()["errorCode"] == "AG8004"
            assert (await client.get(f"http://127.0.0.1:{other}/_vyomo/faults")).status_code == 403

        with socket.create_server(("127.0.0.1", port)):
            async with paper_exchange(told) as executor:
                await executor.match_resting()
