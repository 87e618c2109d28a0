"""Random histories: sealed in random pieces, an untouched one is whole and any single change of a sealed event is found."""

import dataclasses
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.vocabulary import TradingState
from vyomo_ledger.auditing import FindingKind
from vyomo_ledger.auditing.chain import (
    Entry,
    Finding,
    Link,
    Seal,
    difference,
    entries_in,
    fault_of,
    next_seal,
    pack,
)
from vyomo_ledger.testing import RecordWorld

from .audit_world import AuditWorld, audit_world

AT = datetime(2026, 2, 12, 8, 5, 58, 804123, tzinfo=UTC)

names = st.text(max_size=30)
digests = st.binary(min_size=31, max_size=31).map(lambda rest: b"\1" + rest)
FORGED = bytes(32)
"""Of no event of a history."""


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    places = sorted(draw(st.sets(st.integers(-(2**40), 2**62), min_size=1, max_size=30)))
    unique = draw(st.lists(digests, min_size=len(places), max_size=len(places), unique=True))
    return [Entry(place, digest, draw(names)) for place, digest in zip(places, unique, strict=True)]


def chain_of(history: list[Entry], cuts: Random) -> list[Seal]:
    """Seals over pieces of the history, each reaching some way beyond its last event."""
    seals: list[Seal] = []
    link, rest = Link(), list(history)
    while rest:
        size = cuts.randint(1, len(rest))
        piece, rest = rest[:size], rest[size:]
        upper = rest[0].sequence - 1 if rest else piece[-1].sequence + 5
        seal = next_seal(
            link,
            through=cuts.randint(piece[-1].sequence, upper),
            events=len(piece),
            entries=pack(piece),
            sealed_at=AT,
        )
        seals.append(seal)
        link = Link.of(seal)
    return seals


def first_finding(seals: list[Seal], record: list[Entry]) -> Finding | None:
    link = Link()
    for seal in seals:
        found = [entry for entry in record if seal.after < entry.sequence <= seal.through]
        finding = fault_of(seal, link) or difference(seal, found)
        if finding is not None:
            return finding
        link = Link.of(seal)
    return None


@given(histories(), st.randoms(use_true_random=False))
def test_an_untouched_history_is_whole(history: list[Entry], cuts: Random) -> None:
    seals = chain_of(history, cuts)

    assert [entry for seal in seals for entry in entries_in(seal.entries)] == history
    assert first_finding(seals, history) is None


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_any_change_of_one_event_is_found_at_the_event(
    history: list[Entry], cuts: Random, data: st.DataObject
) -> None:
    seals = chain_of(history, cuts)
    place = data.draw(st.integers(0, len(history) - 1))
    victim = history[place]
    act = data.draw(st.sampled_from(["change", "remove", "add", "rename"]))
    match act:
        case "change":
            record = [*history]
            record[place] = dataclasses.replace(victim, digest=FORGED)
            expected = FindingKind.EVENT_CHANGED
        case "rename":
            record = [*history]
            record[place] = dataclasses.replace(victim, digest=FORGED, name=f"{victim.name}!")
            expected = FindingKind.EVENT_CHANGED
        case "remove":
            record = history[:place] + history[place + 1 :]
            expected = FindingKind.EVENT_REMOVED
        case _:
            victim = Entry(victim.sequence - 1, FORGED, "forged")
            if place and history[place - 1].sequence == victim.sequence:
                return
            record = [*history[:place], victim, *history[place:]]
            expected = FindingKind.EVENT_ADDED

    finding = first_finding(seals, record)

    assert finding is not None
    assert (finding.kind, finding.sequence) == (expected, victim.sequence)


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_any_two_events_that_change_places_are_found(
    history: list[Entry], cuts: Random, data: st.DataObject
) -> None:
    seals = chain_of(history, cuts)
    pairs = st.tuples(st.integers(0, len(history) - 1), st.integers(0, len(history) - 1))
    one, other = sorted(data.draw(pairs))
    if one == other:
        return
    record = [*history]
    record[one] = dataclasses.replace(history[other], sequence=history[one].sequence)
    record[other] = dataclasses.replace(history[one], sequence=history[other].sequence)

    finding = first_finding(seals, record)

    assert finding is not None
    assert finding.sequence == history[one].sequence
    assert finding.kind in {FindingKind.EVENT_REORDERED, FindingKind.EVENT_CHANGED}


@given(histories(), st.randoms(use_true_random=False), st.data())
def test_any_seal_that_is_changed_or_gone_is_found(
    history: list[Entry], cuts: Random, data: st.DataObject
) -> None:
    seals = chain_of(history, cuts)
    place = data.draw(st.integers(0, len(seals) - 1))
    seal = seals[place]
    changes = data.draw(
        st.sampled_from(
            [
                {"through": seal.through + 1},
                {"after": seal.after + 1},
                {"events": seal.events + 1},
                {"total": seal.total + 1},
                {"entries": seal.entries[:-1]},
                {"previous": bytes(31) + b"\1"},
                {"hash": bytes(32)},
                {"sealed_at": datetime(2026, 2, 12, tzinfo=UTC)},
                None,
            ]
        )
    )
    kept = [*seals]
    if changes is None:
        if place == len(seals) - 1:
            return  # of the last one only an anchor knows
        del kept[place]
    else:
        kept[place] = dataclasses.replace(seal, **changes)

    finding = first_finding(kept, history)

    assert finding is not None
    assert finding.seal == place + 1
    assert finding.kind is (FindingKind.SEAL_MISSING if changes is None else FindingKind.SEAL_REWRITTEN)


@pytest.mark.parametrize("seed", range(4))
async def test_random_histories_of_the_real_record(world: RecordWorld, database_url: str, seed: int) -> None:
    """Orders, fills and decisions, sealed whenever; then each way of tampering with one random event, undone again."""
    chance = Random(seed)
    async with audit_world(world, database_url) as audit:
        await _live(audit, chance)
        assert (await audit.verify()).is_intact
        rows = await audit.owner.fetch(
            "SELECT order_id, version, sequence FROM ledger.order_events ORDER BY sequence"
        )
        for tampering, kinds in _TAMPERINGS.items():
            victim = chance.choice(rows)
            await audit.owner.execute(tampering, victim["order_id"], victim["version"])

            finding = (await audit.verify()).finding

            assert finding is not None, tampering
            assert finding.kind in kinds, (tampering, finding)
            assert finding.sequence == victim["sequence"] or finding.kind is FindingKind.EVENT_REORDERED
            await _undo(audit)
        assert (await audit.verify()).is_intact


_CHANGE = "UPDATE ledger.order_events SET {} WHERE order_id = $1 AND version = $2"
_TAMPERINGS = {
    _CHANGE.format("type = type || '.'"): {FindingKind.EVENT_CHANGED},
    _CHANGE.format("body = body - 'by'"): {FindingKind.EVENT_CHANGED},
    _CHANGE.format("version = version + 1000"): {FindingKind.EVENT_CHANGED},
    _CHANGE.format("sequence = sequence + 1000"): {
        FindingKind.EVENT_REORDERED,
        FindingKind.EVENT_REMOVED,
    },
    "DELETE FROM ledger.order_events WHERE order_id = $1 AND version = $2": {FindingKind.EVENT_REMOVED},
}


async def _live(audit: AuditWorld, chance: Random) -> None:
    for _ in range(chance.randint(4, 8)):
        await audit.fill_some(chance.randint(1, 4))
        if chance.random() < 0.4:
            await audit.switch(chance.choice([TradingState.ACTIVE, TradingState.REDUCING]))
        if chance.random() < 0.6:
            await audit.sealer.run_once()
    await audit.seal()
    await audit.owner.execute("CREATE TABLE kept AS SELECT * FROM ledger.order_events")


async def _undo(audit: AuditWorld) -> None:
    async with audit.owner.transaction():
        await audit.owner.execute("DELETE FROM ledger.order_events")
        await audit.owner.execute("INSERT INTO ledger.order_events SELECT * FROM kept")
