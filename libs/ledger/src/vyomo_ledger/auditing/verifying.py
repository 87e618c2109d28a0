"""Recomputing the whole chain against the record, a few seals at a time: memory does not grow with the record."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from vyomo_ledger.auditing import records
from vyomo_ledger.auditing.chain import (
    Anchor,
    Finding,
    FindingKind,
    Link,
    Seal,
    against_anchor,
    beyond,
    difference,
    fault_of,
)
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database, Row

SEALS_AT_ONCE: Final = 64
EVENTS_AT_ONCE: Final = 8000
SEALED_WITHIN: Final = timedelta(minutes=10)
"""An event is sealed within seconds; one this old and not sealed is a finding."""
_SHOWN_BEYOND: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a pass found. It stops at the first fault: what follows depends on it."""

    finding: Finding | None
    last: Link
    """The last seal that was looked at and found right."""
    unsealed: int
    """Events above the last seal, too young to be sealed."""
    anchors: int
    """Seals that were held against an anchor outside the database."""
    seconds: float

    @property
    def is_intact(self) -> bool:
        return self.finding is None


async def verify(
    database: Database, clock: Clock, anchors: Mapping[int, Anchor], *, rest: float = 0.0
) -> Verification:
    """Recompute everything. `rest` is how long to pause, as a multiple of the time each step took.

    Raises:
        RecordUnavailableError: the record cannot be read now; nothing is known.
    """
    began = clock.elapsed()
    link, checked, unsealed = Link(), 0, 0
    finding: Finding | None = None
    while finding is None:
        step_began = clock.elapsed()
        async with database.connection() as connection:
            seals = await records.seals_after(
                connection, link, most=SEALS_AT_ONCE, most_events=EVENTS_AT_ONCE
            )
            for seal, is_same in seals:
                finding = (
                    fault_of(seal, link)
                    or await _fault_in_record(connection, seal, is_same=is_same)
                    or against_anchor(seal, anchors)
                )
                if finding is not None:
                    break
                link = Link.of(seal)
                checked += seal.number in anchors
            if finding is None and not seals:
                above = await records.tail(connection, link.through, clock.now() - SEALED_WITHIN)
                if above["newest"] > link.number:
                    continue  # sealed meanwhile
                unsealed = above["unsealed"]
                finding = beyond(link, anchors) or _fault_above(link, above)
                break
        if rest:
            await asyncio.sleep((clock.elapsed() - step_began) * rest)
    return Verification(
        finding=finding, last=link, unsealed=unsealed, anchors=checked, seconds=clock.elapsed() - began
    )


async def _fault_in_record(connection: Connection, seal: Seal, *, is_same: bool) -> Finding | None:
    if is_same:
        return None
    found = await records.entries_between(connection, seal.after, seal.through, seal.events + _SHOWN_BEYOND)
    # None if it was the same after all: then somebody put it back between two statements, and the next pass sees it as it is.
    return difference(seal, found)


def _fault_above(link: Link, above: Row) -> Finding | None:
    if above["ahead_sequence"] is not None:
        return Finding(
            kind=FindingKind.EVENT_ADDED,
            seal=None,
            sequence=above["ahead_sequence"],
            event=above["ahead_name"],
            detail="its number is ahead of every transaction of this database",
        )
    if above["overdue_sequence"] is not None:
        return Finding(
            kind=FindingKind.EVENT_NOT_SEALED,
            seal=link.number + 1,
            sequence=above["overdue_sequence"],
            event=above["overdue_name"],
            detail="it is older than ten minutes and in no seal: nothing seals, or seals were removed",
        )
    return None
