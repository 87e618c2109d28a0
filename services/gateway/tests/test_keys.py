"""Keys made, listed and revoked from the command line, and what a running gateway makes of them."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.keys import main
from vyomo_service_kit.testing.waiting import eventually

if TYPE_CHECKING:
    from conftest import Edge

Run = Callable[..., "asyncio.Future[tuple[int, str, str]]"]


def exit_code(arguments: Sequence[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # how argparse refuses
        return end.code if isinstance(end.code, int) else 1


@pytest.fixture
def run(
    edge: "Edge", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., asyncio.Future[tuple[int, str, str]]]:
    """Runs the command beside the gateway; its exit code and what it wrote."""
    monkeypatch.setenv("VYOMO_POSTGRES_URL", edge.postgres_url)
    monkeypatch.setenv("VYOMO_KEYS_DIR", os.fspath(edge.keys_dir))

    async def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(exit_code, arguments)  # in a thread: it has an event loop of its own
        written = capsys.readouterr()
        return code, written.out, written.err

    return lambda *arguments: asyncio.ensure_future(command(*arguments))


async def trade(edge: "Edge", key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await edge.client.post(f"{edge.account}/orders", json=edge.order_body(), headers=headers)


async def read(edge: "Edge", key: str) -> httpx.Response:
    return await edge.client.get(f"{edge.account}/orders", headers={"Authorization": f"Bearer {key}"})


async def _is_used(edge: "Edge", key_id: str) -> bool:
    connection = await asyncpg.connect(edge.postgres_url, server_settings={"role": "vyomo_gateway"})
    used = "SELECT last_used_at IS NOT NULL FROM identity.api_keys WHERE key_id = $1"
    is_used = await connection.fetchval(used, key_id)
    await connection.close()
    return is_used


async def test_a_key_that_reads_and_one_that_trades(edge: "Edge", run: Run):
    code, reading, said = await run("new", "dash board", "--scope", "read", "--user", "asha", "--days", "30")
    _, trading, _ = await run("new", "bot", "--scope", "trade", "--user", "asha")

    assert code == 0
    key = ApiKey.parse(reading.strip())
    assert key is not None
    assert key.secret not in said
    assert (await read(edge, key.text)).status_code == 200
    assert (await trade(edge, key.text)).json()["error"]["code"] == "SCOPE_MISSING"
    assert (await read(edge, trading.strip())).status_code == 200
    assert (await trade(edge, trading.strip())).status_code == 202


async def test_keys_are_listed_without_their_secrets(edge: "Edge", run: Run):
    made = [
        ApiKey.parse((await run("new", name, "--scope", "read", "--user", "asha"))[1].strip())
        for name in ("one", "two", "three")
    ]
    used, revoked, expired = (key for key in made if key is not None)
    assert (await read(edge, used.text)).status_code == 200
    await run("revoke", revoked.key_id)
    connection = await asyncpg.connect(edge.postgres_url, server_settings={"role": "vyomo_gateway"})
    await connection.execute(
        "UPDATE identity.api_keys SET expires_at = now() WHERE key_id = $1", expired.key_id
    )
    await connection.close()

    await eventually(lambda: _is_used(edge, used.key_id))

    _, out, _ = await run("list")

    lines = {line.split()[0]: line.split() for line in out.splitlines()}
    assert (lines[used.key_id][1], lines[used.key_id][3], lines[used.key_id][-1]) == ("one", "read", "active")
    assert lines[used.key_id].count("-") == 1  # used once, and never expires
    assert lines[revoked.key_id][-1] == "revoked"
    assert lines[expired.key_id][-1] == "expired"
    assert not any(key.secret in out for key in (used, revoked, expired))


async def test_a_revoked_key_is_refused_within_two_seconds(edge: "Edge", run: Run):
    _, out, _ = await run("new", "bot", "--scope", "trade", "--user", "asha")
    key = out.strip()
    assert (await read(edge, key)).status_code == 200

    code, said, _ = await run("revoke", key.split("_")[2])
    await asyncio.sleep(2.1)

    assert code == 0
    assert "bot" in said
    assert (await read(edge, key)).status_code == 401
    assert (await run("revoke", key.split("_")[2]))[0] == 0  # again changes nothing


async def test_mistakes_are_told_and_make_nothing(edge: "Edge", run: Run):
    _, before, _ = await run("list")
    for wrong in (
        ("new", "bot"),
        ("new", "", "--scope", "read"),
        ("new", "a\nb", "--scope", "read"),
        ("new", "bot", "--scope", "admin"),
        ("new", "bot", "--scope", "read", "--days", "0"),
        ("new", "bot", "--scope", "read", "--days", "soon"),
        ("new", "bot", "--scope", "read", "--user", "no such user!"),
    ):
        assert (await run(*wrong))[0] == 2, wrong

    code, _, said = await run("revoke", "nosuchid")
    assert (code, said) == (1, "there is no key nosuchid\n")
    assert (await run("list"))[1] == before


async def test_a_database_that_is_away_is_told_in_a_line(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VYOMO_POSTGRES_URL", "postgresql://vyomo@127.0.0.1:1/vyomo")

    code, _, said = await run("list")

    assert code == 1
    assert said.count("\n") == 1
