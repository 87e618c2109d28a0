"""Those who say what happened: the kill switch's judge, the search for secrets, the failpoints' plan, the table of windows."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from vyomo_chaos import canaries
from vyomo_chaos.evidence import WINDOWS, table
from vyomo_chaos.faults import WORKER
from vyomo_chaos.load import Clients
from vyomo_chaos.servers import KeptServer, nats_in, postgres_in
from vyomo_chaos.strikes import Strikes
from vyomo_chaos.switching import Halt, claims_after_kill, halts_of

from vyomo_service_kit.failpoints import POINTS, VARIABLE
from vyomo_service_kit.testing import eventually

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_halt_lasts_from_the_commit_that_halted_to_the_one_that_released() -> None:
    switches = [
        ("account", "1", "HALTED", at(0)),
        ("account", "1", "HALTED", at(1)),  # asked again: the answer was lost
        ("global", "", "HALTED", at(2)),
        ("account", "1", "ACTIVE", at(3)),
        ("account", "1", "ACTIVE", at(4)),
    ]

    one, everybody = halts_of(switches)

    assert one == Halt("account", "1", at(0), at(3))
    assert everybody == Halt("global", "", at(2), None)
    assert one.forbids(1, at(2))
    assert not one.forbids(2, at(2))
    assert not one.forbids(1, at(3))
    assert everybody.forbids(7, at(9))
    assert not everybody.forbids(7, at(1))


async def test_claim_that_commits_while_a_kill_switch_stands_is_seen(tmp_path: Path) -> None:
    """Against a PostgreSQL that remembers commits, as runs have it."""
    with await postgres_in(tmp_path) as server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("""
            CREATE SCHEMA ledger;
            CREATE TABLE ledger.risk_events (type text, body jsonb);
            CREATE TABLE ledger.order_events (order_id text, account_id bigint, type text);
        """)

        async def switch(state: str) -> None:
            body = {"scope": "account", "scope_id": "1", "state": state, "cause": "SWITCH"}
            await connection.execute(
                "INSERT INTO ledger.risk_events VALUES ('risk.switched', $1)", json.dumps(body)
            )

        async def claim(order_id: str, account_id: int) -> None:
            await connection.execute(
                "INSERT INTO ledger.order_events VALUES ($1, $2, 'order.submitting')", order_id, account_id
            )

        await claim("before", 1)
        await switch("HALTED")
        await claim("late", 1)
        await claim("other", 2)
        await switch("ACTIVE")
        await claim("after", 1)

        halts, broken = await claims_after_kill(connection, [1, 2])
        await connection.close()

    assert halts == 1
    assert [each.split()[0] for each in broken] == ["late"]


async def test_secret_is_found_in_a_log_a_stream_and_a_table(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "state" / "logs").mkdir(parents=True)
    (tmp_path / "state" / "logs" / "gateway.log").write_text('{"url": "/login?key=s3cret"}')
    (tmp_path / "quiet.log").touch()
    (tmp_path / "nats" / "jetstream" / "$G").mkdir(parents=True)
    (tmp_path / "nats" / "jetstream" / "$G" / "1.blk").write_bytes(b"\x00\x01s3cret\xff")
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        'CREATE SCHEMA chaos; CREATE TABLE chaos.notes (body jsonb); INSERT INTO chaos.notes VALUES (\'{"a": "s3cret"}\')'
    )

    searched, leaks = await canaries.found(connection, tmp_path, {"a key": "s3cret", "another": "unheard-of"})
    await connection.execute("DROP SCHEMA chaos CASCADE")
    await connection.close()

    assert searched > 3
    assert sorted(leaks) == [
        "a key in nats/jetstream/$G/1.blk",
        "a key in state/logs/gateway.log",
        "a key in table chaos.notes",
    ]


async def test_plan_arms_every_failpoint_and_who_stopped_is_woken(tmp_path: Path) -> None:
    woken: list[int] = []

    async def wake(pid: int, _: float) -> None:
        woken.append(pid)

    strikes = Strikes(tmp_path, 3, wake)
    strikes.plan(orders_per_second=40, fault_every_seconds=1.2)
    plan = json.loads(Path(strikes.environment[VARIABLE]).read_text())
    assert set(plan["points"]) == POINTS
    watching = asyncio.create_task(strikes.watch())
    hit = {"point": "claim.committed", "program": "vyomo_chaos.worker_process", "at": 1.0}
    Path(plan["hits"]).write_text(
        "".join(
            json.dumps({**hit, "action": action, "pid": pid}) + "\n"
            for action, pid in (("kill", 7), ("stop", 8))
        )
    )

    await eventually(lambda: woken == [8])
    watching.cancel()
    await asyncio.wait({watching})

    assert [(each.fault.kind, each.fault.target) for each in strikes.struck()] == [
        ("kill", WORKER),
        ("pause", WORKER),
    ]


def test_table_names_every_window_and_says_what_is_tested_elsewhere() -> None:
    lines = table({"f9_hits": 12})

    assert [line.split()[0] for line in lines[1:]] == [f"F{number}" for number in range(1, 23)]
    assert next(line for line in lines if line.startswith("F9 ")).split()[1] == "12"
    assert {name for name, window in WINDOWS.items() if window.elsewhere} == {"F19", "F20", "F21"}


async def test_server_that_is_killed_comes_back_unless_it_is_held(tmp_path: Path) -> None:
    kept = KeptServer(nats_in(tmp_path))
    async with kept.running():
        first = kept.pid
        assert kept.server.process is not None

        kept.held = True
        kept.server.process.kill()
        await eventually(lambda: not kept.server.is_running)
        await asyncio.sleep(0.5)
        assert kept.pid is None
        kept.held = False

        await eventually(lambda: kept.pid not in {None, first}, timeout=10)


@pytest.mark.timeout(20)
async def test_clients_lose_no_patience_while_everything_stands_still() -> None:
    clients = Clients("http://127.0.0.1:1", "", [1], 1.0, 1)
    began = clients.patience()

    clients.freeze(True)
    await asyncio.sleep(0.3)
    clients.freeze(False)

    assert clients.patience() - began < 0.2
    await clients.close()
