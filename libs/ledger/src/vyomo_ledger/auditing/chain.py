"""The chain of seals, and what is wrong with one. Pure: what is read comes in as values.

A seal covers the events whose sequence lies above `after` and not above `through`. Its entries name each of them with a digest; its
hash covers the entries, its own numbers and the hash of the seal before. Ranges meet without a gap, so an event is either in the
entries of exactly one seal, or younger than the last seal, or should not be there.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final

from vyomo_contracts.vocabulary import Word

BEGINNING: Final = -(2**63)
"""`after` of the first seal: below every sequence there can be."""
GENESIS: Final = bytes(32)
"""`previous` of the first seal."""

_DOMAIN: Final = b"vyomo audit seal 1\n"
_NUMBERS: Final = struct.Struct(">qqqqqq")
_ENTRY: Final = struct.Struct(">q32sH")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class FindingKind(Word):
    EVENT_CHANGED = "EVENT_CHANGED"
    EVENT_REMOVED = "EVENT_REMOVED"
    EVENT_ADDED = "EVENT_ADDED"
    EVENT_REORDERED = "EVENT_REORDERED"
    EVENT_NOT_SEALED = "EVENT_NOT_SEALED"
    """It should have been sealed long ago: the sealer does not run, or seals were removed."""
    SEAL_MISSING = "SEAL_MISSING"
    SEAL_REWRITTEN = "SEAL_REWRITTEN"
    """It does not hold what it says, or does not follow from the one before."""
    ANCHOR_BROKEN = "ANCHOR_BROKEN"
    """The chain is whole and is another one than was anchored outside the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first thing that is wrong."""

    kind: FindingKind
    seal: int | None
    """Number of the seal that shows it; the number that should be there, for a missing one."""
    detail: str
    sequence: int | None = None
    event: str | None = None
    """`order <order id> v<version>`, `risk <type> of <user>` or `account <number> <type>`; of the sealed event where one is gone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it is sealed."""

    sequence: int
    digest: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    number: int
    after: int
    through: int
    events: int
    total: int
    entries: bytes
    previous: bytes
    hash: bytes
    sealed_at: datetime

    @property
    def computed(self) -> bytes:
        """What its hash must be."""
        return _hash(
            (self.number, self.after, self.through, self.events, self.total),
            self.sealed_at,
            self.previous,
            self.entries,
        )


@dataclass(frozen=True, slots=True)
class Link:
    """As much of the chain as its next seal depends on: where the last one ends."""

    number: int = 0
    through: int = BEGINNING
    total: int = 0
    hash: bytes = GENESIS

    @classmethod
    def of(cls, seal: Seal) -> "Link":
        return cls(seal.number, seal.through, seal.total, seal.hash)


def next_seal(last: Link, *, through: int, events: int, entries: bytes, sealed_at: datetime) -> Seal:
    number, total = last.number + 1, last.total + events
    return Seal(
        number=number,
        after=last.through,
        through=through,
        events=events,
        total=total,
        entries=entries,
        previous=last.hash,
        hash=_hash((number, last.through, through, events, total), sealed_at, last.hash, entries),
        sealed_at=sealed_at,
    )


def fault_of(seal: Seal, last: Link) -> Finding | None:
    """What is wrong with the seal itself, given the one that should be before it."""
    expected = last.number + 1
    if seal.number != expected:
        return Finding(
            kind=FindingKind.SEAL_MISSING,
            seal=expected,
            detail=f"after seal {last.number} comes seal {seal.number}",
        )
    if seal.computed != seal.hash:
        return _rewritten(seal, "its hash is not that of what it holds")
    if seal.previous != last.hash:
        return _rewritten(seal, f"it does not follow from seal {last.number}")
    if seal.after != last.through or seal.total != last.total + seal.events:
        return _rewritten(seal, f"its range or count does not begin where seal {last.number} ends")
    return None


def difference(seal: Seal, found: Sequence[Entry]) -> Finding | None:
    """The first event in which the record differs from what was sealed; both in the order of sequences."""
    try:
        sealed = list(entries_in(seal.entries))
    except ValueError as error:
        return _rewritten(seal, str(error))
    pairs = zip_longest(sealed, found)
    before, now = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    if before is not None and (now is None or before.sequence <= now.sequence):
        is_in_place = now is not None and before.sequence == now.sequence
        missing = FindingKind.EVENT_CHANGED if is_in_place else FindingKind.EVENT_REMOVED
        kind = FindingKind.EVENT_REORDERED if _holds(found, before) else missing
        return _event(kind, seal, before)
    if now is not None:
        kind = FindingKind.EVENT_REORDERED if _holds(sealed, now) else FindingKind.EVENT_ADDED
        return _event(kind, seal, now)
    return None


def entries_in(packed: bytes) -> Iterator[Entry]:
    """Raises:
    ValueError: cut off, or not text where there should be.
    """
    place = 0
    while place < len(packed):
        try:
            sequence, digest, length = _ENTRY.unpack_from(packed, place)
        except struct.error as error:
            raise ValueError("the entries of a seal end in the middle of one") from error
        place += _ENTRY.size
        yield Entry(sequence, digest, packed[place : place + length].decode())
        place += length


def pack(entries: Sequence[Entry]) -> bytes:
    """As the record's statement packs them."""
    return b"".join(
        _ENTRY.pack(each.sequence, each.digest, len(name := each.name.encode())) + name for each in entries
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What was said of the chain outside the database."""

    number: int
    total: int
    hash: bytes
    at: datetime


def against_anchor(seal: Seal, anchors: Mapping[int, Anchor]) -> Finding | None:
    anchor = anchors.get(seal.number)
    if anchor is None or (anchor.hash, anchor.total) == (seal.hash, seal.total):
        return None
    return Finding(
        kind=FindingKind.ANCHOR_BROKEN,
        seal=seal.number,
        detail=f"it is not the seal that was anchored at {anchor.at.isoformat()}: the chain was made anew",
    )


def beyond(last: Link, anchors: Mapping[int, Anchor]) -> Finding | None:
    """Anchors of seals that are not there any more."""
    gone = [anchor for number, anchor in anchors.items() if number > last.number]
    if not gone:
        return None
    newest = max(gone, key=_number)
    return Finding(
        kind=FindingKind.SEAL_MISSING,
        seal=last.number + 1,
        detail=f"the chain ends with seal {last.number}; seal {newest.number} was anchored at {newest.at.isoformat()}",
    )


def _holds(entries: Sequence[Entry], wanted: Entry) -> bool:
    """The same event, wherever it stands."""
    return any(each.digest == wanted.digest for each in entries)


def _number(anchor: Anchor) -> int:
    return anchor.number


def _rewritten(seal: Seal, detail: str) -> Finding:
    return Finding(kind=FindingKind.SEAL_REWRITTEN, seal=seal.number, detail=detail)


_SAID: Final = {
    FindingKind.EVENT_CHANGED: "it is not what was sealed",
    FindingKind.EVENT_REMOVED: "it was sealed and is gone",
    FindingKind.EVENT_ADDED: "it was not there when its range was sealed",
    FindingKind.EVENT_REORDERED: "it does not stand where it stood when it was sealed",
}


def _event(kind: FindingKind, seal: Seal, entry: Entry) -> Finding:
    return Finding(kind=kind, seal=seal.number, sequence=entry.sequence, event=entry.name, detail=_SAID[kind])


def _hash(
    numbers: tuple[int, int, int, int, int], sealed_at: datetime, previous: bytes, entries: bytes
) -> bytes:
    at = (sealed_at - _EPOCH) // _MICROSECOND
    return hashlib.sha256(_DOMAIN + _NUMBERS.pack(*numbers, at) + previous + entries).digest()
