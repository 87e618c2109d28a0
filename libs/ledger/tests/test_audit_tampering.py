"""Whatever somebody with the whole database in hands does to sealed events is found, and named."""

import dataclasses
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import TradingState
from vyomo_ledger.auditing import FindingKind, verifying
from vyomo_ledger.auditing.chain import Link, next_seal
from vyomo_ledger.auditing.records import seals_after
from vyomo_ledger.testing import RecordWorld

from .audit_world import AuditWorld, audit_world


@dataclasses.dataclass
class Sealed:
    audit: AuditWorld
    orders: list[Order]
    """Of three seals, two orders each; the second seal also has a risk decision."""

    async def sequence_of(self, order: Order, version: int) -> int:
        sequence = await self.audit.owner.fetchval(
            "SELECT sequence FROM ledger.order_events WHERE order_id = $1 AND version = $2",
            order.order_id,
            version,
        )
        assert isinstance(sequence, int)
        return sequence


@pytest_asyncio.fixture
async def sealed(world: RecordWorld, database_url: str) -> AsyncGenerator[Sealed]:
    async with audit_world(world, database_url) as audit:
        orders: list[Order] = []
        for number in range(3):
            orders += await audit.fill_some(2)
            if number == 1:
                await audit.switch(TradingState.REDUCING)
                await audit.switch(TradingState.ACTIVE)
            await audit.seal()
        assert await audit.seals() >= 3
        verification = await audit.verify()
        assert verification.is_intact
        assert verification.last.total == 14
        yield Sealed(audit, orders)


@pytest.mark.parametrize(
    "change",
    [
        "body = jsonb_set(body, '{order,quantity}', '11')",
        "body = jsonb_set(body, '{by,component}', '\"order-routes\"')",
        "type = 'order.denied'",
        "user_id = 'bela'",
        "account_id = account_id + 1",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "recorded_at = 'infinity'",
    ],
)
async def test_a_changed_event(sealed: Sealed, change: str) -> None:
    order = sealed.orders[3]
    await sealed.audit.owner.execute(
        f"UPDATE ledger.order_events SET {change} WHERE order_id = $1 AND version = 1", order.order_id
    )

    finding = await sealed.audit.finding()

    assert finding.kind is FindingKind.EVENT_CHANGED
    assert finding.event == f"order {order.order_id} v1"
    assert finding.sequence == await sealed.sequence_of(order, 1)


async def test_a_changed_decision_about_risk(sealed: Sealed) -> None:
    await sealed.audit.owner.execute(
        'UPDATE ledger.risk_events SET body = body || \'{"actor":"x"}\' WHERE sequence = (SELECT min(sequence) FROM ledger.risk_events)'
    )

    finding = await sealed.audit.finding()

    assert finding.kind is FindingKind.EVENT_CHANGED
    assert finding.event == "risk risk.switched of asha"


async def test_an_account_event_added_behind_its_time(sealed: Sealed) -> None:
    await sealed.audit.owner.execute(
        "INSERT INTO ledger.account_events VALUES ($1, 1, 'asha', 'account.switched', '{}', now())",
        await sealed.sequence_of(sealed.orders[0], 1) + 9,
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.event) == (FindingKind.EVENT_ADDED, "account 1 account.switched")


async def test_a_removed_event(sealed: Sealed) -> None:
    order = sealed.orders[2]
    sequence = await sealed.sequence_of(order, 2)
    await sealed.audit.owner.execute(
        "DELETE FROM ledger.order_events WHERE order_id = $1 AND version = 2", order.order_id
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.event, finding.sequence) == (
        FindingKind.EVENT_REMOVED,
        f"order {order.order_id} v2",
        sequence,
    )


async def test_the_last_events_removed(sealed: Sealed) -> None:
    order = sealed.orders[-1]
    first = await sealed.sequence_of(order, 2)
    await sealed.audit.owner.execute("DELETE FROM ledger.order_events WHERE sequence >= $1", first)

    finding = await sealed.audit.finding()

    assert finding.kind is FindingKind.EVENT_REMOVED
    assert finding.sequence == first


@pytest.mark.parametrize("version", [1, 2])
async def test_an_inserted_event(sealed: Sealed, version: int) -> None:
    beside = await sealed.sequence_of(sealed.orders[1], version)
    await sealed.audit.owner.execute(
        "INSERT INTO ledger.order_events SELECT 'FORGED', 1, account_id, user_id, sequence + 7, type, body, recorded_at"
        " FROM ledger.order_events WHERE sequence = $1",
        beside,
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.event) == (FindingKind.EVENT_ADDED, "order FORGED v1")


async def test_an_event_inserted_at_the_number_of_another(sealed: Sealed) -> None:
    await sealed.audit.owner.execute(
        "INSERT INTO ledger.order_events SELECT 'FORGED', 1, account_id, user_id, sequence, type, body, recorded_at"
        " FROM ledger.order_events WHERE order_id = $1 AND version = 1",
        sealed.orders[0].order_id,
    )

    finding = await sealed.audit.finding()

    assert finding.seal == 1
    assert finding.kind in {FindingKind.EVENT_ADDED, FindingKind.EVENT_REORDERED}


@pytest.mark.parametrize("sequence", [1, 2**62])
async def test_an_event_with_a_number_from_nowhere(sealed: Sealed, sequence: int) -> None:
    await sealed.audit.owner.execute(
        "INSERT INTO ledger.order_events SELECT 'FORGED', 1, account_id, user_id, $2, type, body, recorded_at"
        " FROM ledger.order_events WHERE order_id = $1 AND version = 1",
        sealed.orders[0].order_id,
        sequence,
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.event) == (FindingKind.EVENT_ADDED, "order FORGED v1")


async def test_two_events_swapped(sealed: Sealed) -> None:
    one, other = sealed.orders[2], sealed.orders[3]
    places = [await sealed.sequence_of(order, 2) for order in (one, other)]
    for order, place in ((one, places[1]), (other, places[0])):
        await sealed.audit.owner.execute(
            "UPDATE ledger.order_events SET sequence = $2 WHERE order_id = $1 AND version = 2",
            order.order_id,
            place,
        )

    finding = await sealed.audit.finding()

    assert finding.kind is FindingKind.EVENT_REORDERED
    assert finding.sequence == min(places)


async def test_a_rewritten_seal(sealed: Sealed) -> None:
    """Its entries fit the changed event, its hash does not."""
    await sealed.audit.owner.execute(
        "UPDATE ledger.audit_seals SET entries = set_byte(entries, 9, (get_byte(entries, 9) + 1) % 256) WHERE number = 2"
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.seal) == (FindingKind.SEAL_REWRITTEN, 2)


async def test_a_seal_made_anew_with_a_fitting_hash(sealed: Sealed) -> None:
    """The next one still holds the hash that it had."""
    await _remake(sealed.audit, 2)

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.seal) == (FindingKind.SEAL_REWRITTEN, 3)


async def test_a_removed_seal(sealed: Sealed) -> None:
    await sealed.audit.owner.execute("DELETE FROM ledger.audit_seals WHERE number = 2")

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.seal) == (FindingKind.SEAL_MISSING, 2)


async def test_a_removed_seal_before_a_large_one(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "EVENTS_AT_ONCE", 1)
    await sealed.audit.owner.execute("DELETE FROM ledger.audit_seals WHERE number = 2")

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.seal) == (FindingKind.SEAL_MISSING, 2)


async def test_the_last_seal_removed(sealed: Sealed) -> None:
    """It was anchored; so even with its events gone too, and another one made in its place."""
    last = await sealed.audit.seals()
    anchors = await sealed.audit.anchor()
    await sealed.audit.owner.execute("DELETE FROM ledger.audit_seals WHERE number = $1", last)

    finding = await sealed.audit.finding(anchors)
    assert (finding.kind, finding.seal) == (FindingKind.SEAL_MISSING, last)

    await sealed.audit.owner.execute(
        "DELETE FROM ledger.order_events WHERE sequence > (SELECT max(through) FROM ledger.audit_seals)"
    )
    await sealed.audit.fill_some(1)
    await sealed.audit.seal()
    assert (await sealed.audit.verify()).is_intact, "by itself the chain is a whole one"

    finding = await sealed.audit.finding(anchors)
    assert (finding.kind, finding.seal) == (FindingKind.ANCHOR_BROKEN, last)


async def test_a_chain_made_anew_from_a_changed_event_on(sealed: Sealed) -> None:
    """Everything fits, but not what was anchored."""
    anchors = await sealed.audit.anchor()
    await sealed.audit.owner.execute(
        "UPDATE ledger.order_events SET type = 'order.denied' WHERE order_id = $1 AND version = 1",
        sealed.orders[0].order_id,
    )
    await sealed.audit.owner.execute("TRUNCATE ledger.audit_seals")
    await sealed.audit.seal()
    assert (await sealed.audit.verify()).is_intact

    finding = await sealed.audit.finding(anchors)

    assert finding.kind in {FindingKind.ANCHOR_BROKEN, FindingKind.SEAL_MISSING}


async def test_everything_truncated_and_begun_anew(sealed: Sealed) -> None:
    anchors = await sealed.audit.anchor()
    await sealed.audit.owner.execute(
        "TRUNCATE ledger.order_events, ledger.risk_events, ledger.audit_seals, ledger.broker_orders, ledger.fills"
    )
    assert (await sealed.audit.finding(anchors)).kind is FindingKind.SEAL_MISSING

    for _ in range(4):
        await sealed.audit.fill_some(2)
        await sealed.audit.seal()
    assert (await sealed.audit.verify()).is_intact

    assert (await sealed.audit.finding(anchors)).kind is FindingKind.ANCHOR_BROKEN


async def test_events_that_nobody_seals(sealed: Sealed) -> None:
    """Seals that were removed and are not made anew, because nothing runs that makes any."""
    await sealed.audit.owner.execute("DELETE FROM ledger.audit_seals WHERE number > 1")
    assert (await sealed.audit.verify()).is_intact, "young events may wait for their seal"
    await sealed.audit.owner.execute(
        "UPDATE ledger.order_events SET recorded_at = recorded_at - interval '11 minutes'"
        " WHERE sequence > (SELECT max(through) FROM ledger.audit_seals)"
    )

    finding = await sealed.audit.finding()

    assert (finding.kind, finding.seal) == (FindingKind.EVENT_NOT_SEALED, 2)


async def _remake(audit: AuditWorld, number: int) -> None:
    """The seal as if one of its events had never been, with a hash that fits."""
    seals = {
        seal.number: seal for seal, _ in await seals_after(audit.owner, Link(), most=10, most_events=1000)
    }
    old = seals[number]
    new = next_seal(
        Link.of(seals[number - 1]),
        through=old.through,
        events=old.events,
        entries=old.entries,
        sealed_at=old.sealed_at.replace(microsecond=(old.sealed_at.microsecond + 1) % 1_000_000),
    )
    await audit.owner.execute(
        "UPDATE ledger.audit_seals SET sealed_at = $2, hash = $3 WHERE number = $1",
        number,
        new.sealed_at,
        new.hash,
    )
