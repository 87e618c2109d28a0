"""Sealing: complete, in order, by one at a time, and without holding anybody up."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from asyncpg.exceptions import InsufficientPrivilegeError

from vyomo_contracts.vocabulary import TradingState
from vyomo_ledger.auditing import AnchorFile, FindingKind, records
from vyomo_ledger.auditing.chain import Link
from vyomo_ledger.testing import RecordWorld
from vyomo_ledger.writing import sealer as sealing
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.sealer import LEASE, AuditSealer, AuditWatch

from .audit_world import AuditWorld, audit_world

ROLES = ("vyomo_gateway", "vyomo_router", "vyomo_worker", "vyomo_sync")


@pytest_asyncio.fixture
async def audit(world: RecordWorld, database_url: str) -> AsyncGenerator[AuditWorld]:
    async with audit_world(world, database_url) as opened:
        yield opened


@pytest.mark.parametrize("table", ["order_events", "risk_events", "account_events", "audit_seals"])
@pytest.mark.parametrize("role", ROLES)
async def test_nobody_may_change_or_remove_what_was_recorded(
    audit: AuditWorld, role: str, table: str
) -> None:
    """Refused by the server, whatever the code would do; only the sealer's role adds seals."""
    held = {
        right
        for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
        if await audit.owner.fetchval(
            "SELECT has_table_privilege($1, $2, $3)", role, f"ledger.{table}", right
        )
    }
    columns = await audit.owner.fetchval(
        "SELECT count(*) FROM information_schema.column_privileges"
        " WHERE grantee = $1 AND table_schema = 'ledger' AND table_name = $2 AND privilege_type = 'UPDATE'",
        role,
        table,
    )
    writes = {
        "order_events": {"vyomo_router", "vyomo_worker"},
        "risk_events": {"vyomo_router"},
        "account_events": {"vyomo_router"},
        "audit_seals": {"vyomo_router"},
    }

    assert held == ({"INSERT"} if role in writes[table] else set())
    assert columns == 0
    for statement in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table}"):
        with pytest.raises(InsufficientPrivilegeError):
            await audit.owner.execute(f"SET ROLE {role}; {statement}")
        await audit.owner.execute("RESET ROLE")


async def test_an_event_is_sealed_by_the_next_round(audit: AuditWorld) -> None:
    await audit.fill_some(3)
    await audit.switch(TradingState.HALTED)

    await audit.seal()

    verification = await audit.verify()
    assert (verification.is_intact, verification.last.total, verification.unsealed) == (True, 7, 0)


async def test_nothing_new_makes_no_seal(audit: AuditWorld) -> None:
    await audit.fill_some(1)
    await audit.seal()
    before = await audit.seals()

    await audit.sealer.run_once()

    assert await audit.seals() == before


async def test_a_long_backlog_is_sealed_in_pieces(audit: AuditWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "EVENTS_A_SEAL", 4)
    await audit.fill_some(9)

    await audit.seal()

    verification = await audit.verify()
    assert verification.is_intact
    assert (verification.last.number, verification.last.total) == (5, 18)


async def test_a_late_commit_is_in_the_chain_at_its_own_place(audit: AuditWorld) -> None:
    """Its transaction began first and commits last: until then nothing behind it is sealed."""
    world = audit.world
    late = world.order()
    await world.ledger.accept([world.new(late)])
    await audit.seal()
    sealed = await audit.seals()

    async with world.ledger.transaction() as transaction:
        await transaction.lock([(late.account_id, late.order_id)])
        await transaction.connection.fetchval("SELECT pg_current_xact_id()::text")
        await audit.fill_some(2)
        await audit.sealer.run_once()
        assert await audit.seals() == sealed, "what is behind an open transaction waits"
        transaction.begin_action(late, world.clock.now(), world.clock.now())
    await audit.seal()

    verification = await audit.verify()
    assert (verification.is_intact, verification.last.total) == (True, 6)


async def test_many_writers_at_once_leave_nothing_out(audit: AuditWorld) -> None:
    """Sealed all the while, by two sealers who think that they lead."""
    second = AuditSealer(
        audit.world.database, audit.world.clock, Lease(audit.world.database, name=LEASE, holder="test")
    )
    writing = asyncio.gather(*(audit.fill_some(8) for _ in range(5)))
    while not writing.done():
        await asyncio.gather(audit.sealer.run_once(), second.run_once())
    await writing
    await audit.seal()

    verification = await audit.verify()
    assert (verification.is_intact, verification.last.total) == (True, 80)


async def test_who_does_not_hold_the_lease_seals_nothing(audit: AuditWorld) -> None:
    await audit.fill_some(1)
    await audit.seal()
    await audit.fill_some(1)
    other = AuditSealer(
        audit.world.database, audit.world.clock, Lease(audit.world.database, name=LEASE, holder="other")
    )
    before = await audit.seals()

    await other.run_once()

    assert (await audit.seals(), other.has_caught_up) == (before, False)


async def _alerts(audit: AuditWorld) -> list[str]:
    rows = await audit.owner.fetch(
        "SELECT message FROM ledger.alerts WHERE account_id = 0 AND code = 'AUDIT_BROKEN' AND cleared_at IS NULL"
    )
    return [row["message"] for row in rows]


async def test_a_seal_that_vanishes_under_the_sealer_is_told_at_once(
    audit: AuditWorld, watch: Callable[[], AuditWatch]
) -> None:
    """Together with the events it covered: the chain itself would not show it."""
    await audit.fill_some(1)
    await audit.seal()
    await audit.fill_some(1)
    await audit.seal()
    await audit.owner.execute(
        "DELETE FROM ledger.order_events WHERE sequence > (SELECT max(after) FROM ledger.audit_seals)"
    )
    await audit.owner.execute(
        "DELETE FROM ledger.audit_seals WHERE number = (SELECT max(number) FROM ledger.audit_seals)"
    )
    assert (await audit.verify()).is_intact

    await audit.sealer.run_once()

    [message] = await _alerts(audit)
    assert FindingKind.SEAL_MISSING in message

    await audit.seal()
    verification = await watch().run_once()
    assert verification is not None
    assert verification.is_intact
    assert await _alerts(audit) == [message], "a chain that fits does not take it back"


async def test_numbers_that_run_backwards_are_told(audit: AuditWorld) -> None:
    """A dump that was restored into a server whose transaction numbers were not raised."""
    await audit.fill_some(1)
    await audit.seal()
    await audit.owner.execute("UPDATE ledger.audit_seals SET through = through + (1::bigint << 50)")
    started_anew = AuditSealer(
        audit.world.database, audit.world.clock, Lease(audit.world.database, name=LEASE, holder="test")
    )

    await started_anew.run_once()

    [message] = await _alerts(audit)
    assert "restored" in message


@pytest_asyncio.fixture
async def watch(audit: AuditWorld, tmp_path: Path) -> Callable[[], AuditWatch]:
    def start() -> AuditWatch:
        return AuditWatch(
            audit.world.database,
            audit.world.clock,
            audit.sealer,
            AnchorFile(tmp_path / "anchors.jsonl"),
            every_seconds=0.0,
            rest=0.0,
        )

    return start


async def test_a_whole_chain_is_anchored_outside_the_database(
    audit: AuditWorld, watch: Callable[[], AuditWatch], tmp_path: Path
) -> None:
    await audit.fill_some(2)
    await audit.seal()

    verification = await watch().run_once()

    assert verification is not None
    path = tmp_path / "anchors.jsonl"
    anchors = AnchorFile(path).read()
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(anchors) == {verification.last.number}
    assert (await audit.verify(anchors)).anchors == 1


async def test_the_first_seals_of_a_new_installation_are_anchored_at_once(
    audit: AuditWorld, tmp_path: Path
) -> None:
    """Not an hour after a first pass that found nothing yet."""
    anchors = AnchorFile(tmp_path / "anchors.jsonl")
    watch = AuditWatch(audit.world.database, audit.world.clock, audit.sealer, anchors, rest=0.0)
    await audit.sealer.run_once()
    empty = await watch.run_once()
    assert empty is not None
    assert (empty.is_intact, empty.last.number) == (True, 0)
    await audit.fill_some(1)
    await audit.seal()

    await watch.run_once()

    assert len(anchors.read()) == 1
    assert await watch.run_once() is None, "and the next pass is an hour away"


async def test_a_chain_begun_anew_is_found_by_the_next_pass(
    audit: AuditWorld, watch: Callable[[], AuditWatch]
) -> None:
    await audit.fill_some(2)
    await audit.seal()
    await watch().run_once()
    await audit.owner.execute("TRUNCATE ledger.order_events, ledger.audit_seals, ledger.broker_orders")
    audit.sealer = AuditSealer(
        audit.world.database, audit.world.clock, Lease(audit.world.database, name=LEASE, holder="test")
    )
    await audit.fill_some(3)
    await audit.seal()

    verification = await watch().run_once()

    assert verification is not None
    assert verification.finding is not None
    [message] = await _alerts(audit)
    assert verification.finding.kind in message


async def test_the_pass_alerts_once_and_takes_it_back_when_the_record_was_mended(
    audit: AuditWorld, watch: Callable[[], AuditWatch]
) -> None:
    [order] = await audit.fill_some(1)
    await audit.seal()
    change = "UPDATE ledger.order_events SET type = $2 WHERE order_id = $1 AND version = 1"
    await audit.owner.execute(change, order.order_id, "order.denied")
    for _ in range(2):
        await watch().run_once()
    [message] = await _alerts(audit)
    assert f"order {order.order_id} v1" in message

    await audit.owner.execute(change, order.order_id, "order.accepted")
    await watch().run_once()

    assert await _alerts(audit) == []


async def test_only_who_seals_and_has_caught_up_verifies(
    audit: AuditWorld, watch: Callable[[], AuditWatch]
) -> None:
    assert await watch().run_once() is None


async def test_the_number_of_an_event_is_looked_up_by_an_index(audit: AuditWorld) -> None:
    """Sealing must not read the whole record each second."""
    await audit.fill_some(4)
    await audit.owner.execute(
        "INSERT INTO ledger.order_events SELECT 'P' || n, 1, account_id, user_id, n, type, body, recorded_at"
        " FROM generate_series(1, 4000) AS n, (SELECT * FROM ledger.order_events ORDER BY sequence LIMIT 1) AS one"
    )
    await audit.owner.execute("ANALYZE ledger.order_events")

    last = Link(through=3990)
    await audit.owner.execute("SET plan_cache_mode = force_generic_plan")
    await audit.owner.execute(f"PREPARE unsealed (bigint, bigint) AS {records.UNSEALED}")
    plan = await audit.owner.fetch(f"EXPLAIN EXECUTE unsealed ({last.through}, 1000)")

    text = "\n".join(row[0] for row in plan)
    assert "Seq Scan on order_events" not in text, text
    assert "order_events_in_order" in text, text
