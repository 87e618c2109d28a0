"""How events are read for sealing and verifying: digests are made where the events are, so only those travel.

An event's digest is SHA-256 of a JSON array of everything that is recorded of it but its place in the order, which stands beside it:
whatever of a row changes, one of the two does.
"""

from datetime import datetime
from typing import Final

from vyomo_ledger.auditing.chain import Entry, Link, Seal, entries_in
from vyomo_ledger.sequence import HORIZON_SQL, PLACE_BITS
from vyomo_service_kit.database import Connection, Row

_AHEAD_SQL: Final = f"(pg_snapshot_xmax(pg_current_snapshot())::text::bigint << {PLACE_BITS})"
"""No transaction that can be seen has this number or a higher one."""
_LONGEST_NAME: Final = 200


def _digest(*columns: str) -> str:
    # Times as text of a number: no session's setting changes it, and there is one for infinity.
    array = f"json_build_array({', '.join(columns)}, extract(epoch FROM recorded_at)::text, body)"
    return f"sha256(convert_to({array}::text, 'UTF8'))"


_SOURCES: Final = {
    "ledger.order_events": (
        "'order ' || order_id || ' v' || version",
        _digest("'order'", "order_id", "version", "account_id", "user_id", "type"),
    ),
    "ledger.account_events": (
        "'account ' || account_id || ' ' || type",
        _digest("'account'", "account_id", "user_id", "type"),
    ),
    "ledger.risk_events": ("'risk ' || type || ' of ' || user_id", _digest("'risk'", "user_id", "type")),
}


def _events(where: str, last: str) -> str:
    """Events of every kind in their one order, each source no further than `last` says."""
    parts = [
        f"(SELECT sequence, left({name}, {_LONGEST_NAME}) AS name, {digest} AS digest, recorded_at FROM {table}"
        f" WHERE {where} ORDER BY sequence {last})"
        for table, (name, digest) in _SOURCES.items()
    ]
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS every ORDER BY sequence {last}"


_PACKED: Final = """
string_agg(
    int8send(sequence) || digest || int2send(octet_length(convert_to(name, 'UTF8'))::smallint) || convert_to(name, 'UTF8'),
    ''::bytea ORDER BY sequence, name COLLATE "C", digest
)"""
_LINK: Final = "SELECT number, through, total, hash FROM ledger.audit_seals ORDER BY number DESC LIMIT 1"
# Events of one number, which there are not unless somebody makes them, come all or not at all: a seal ends between two numbers.
UNSEALED: Final = f"""
WITH next AS MATERIALIZED (
    {_events(f"sequence > $1 AND sequence < {HORIZON_SQL}", "FETCH FIRST ($2::bigint) ROWS WITH TIES")}
)
SELECT {HORIZON_SQL} AS horizon, count(*)::integer AS events, max(sequence) AS last, {_PACKED} AS entries FROM next
"""
_SEAL_COLUMNS: Final = "number, after, through, events, total, entries, previous, hash, sealed_at"
# Two sealers at once: the number is the first one's.
_ADD: Final = f"""
INSERT INTO ledger.audit_seals ({_SEAL_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING RETURNING number
"""
# One event more than was sealed is enough to know that it is not the same.
_SEALS: Final = f"""
SELECT s.*, found.entries IS NOT DISTINCT FROM s.entries AS is_same
FROM (
    SELECT {_SEAL_COLUMNS} FROM ledger.audit_seals
    WHERE number > $1 AND (
        total <= $2::bigint OR number = (SELECT min(number) FROM ledger.audit_seals WHERE number > $1)
    )
    ORDER BY number LIMIT $3
) AS s
LEFT JOIN LATERAL (
    SELECT {_PACKED} AS entries
    FROM ({_events("sequence > s.after AND sequence <= s.through", "LIMIT s.events + 1")}) AS inside
) AS found ON true
ORDER BY s.number
"""
_FOUND: Final = f"""
SELECT {_PACKED} AS entries FROM ({_events("sequence > $1 AND sequence <= $2", "LIMIT $3::bigint")}) AS inside
"""
_TAIL: Final = f"""
WITH oldest AS MATERIALIZED (
    {_events("sequence > $1 AND recorded_at < $2", "LIMIT 1")}
), ahead AS MATERIALIZED (
    {_events(f"sequence > $1 AND sequence >= {_AHEAD_SQL}", "LIMIT 1")}
)
SELECT (SELECT coalesce(max(number), 0) FROM ledger.audit_seals) AS newest,
       (SELECT count(*) FROM ledger.order_events WHERE sequence > $1)
       + (SELECT count(*) FROM ledger.risk_events WHERE sequence > $1)
       + (SELECT count(*) FROM ledger.account_events WHERE sequence > $1) AS unsealed,
       oldest.sequence AS overdue_sequence, oldest.name AS overdue_name,
       ahead.sequence AS ahead_sequence, ahead.name AS ahead_name
FROM (SELECT true) AS one LEFT JOIN oldest ON true LEFT JOIN ahead ON true
"""


async def last_link(connection: Connection) -> Link:
    row = await connection.fetchrow(_LINK)
    return Link() if row is None else Link(row["number"], row["through"], row["total"], row["hash"])


async def unsealed(connection: Connection, after: int, most: int) -> Row:
    """`horizon`, and of the next events below it `events`, `last` (sequence) and packed `entries`."""
    row = await connection.fetchrow(UNSEALED, after, most)
    assert row is not None
    return row


async def add_seal(connection: Connection, seal: Seal) -> bool:
    """False when there is one of its number already."""
    added = await connection.fetchval(
        _ADD,
        seal.number,
        seal.after,
        seal.through,
        seal.events,
        seal.total,
        seal.entries,
        seal.previous,
        seal.hash,
        seal.sealed_at,
    )
    return added is not None


async def seals_after(
    connection: Connection, last: Link, *, most: int, most_events: int
) -> list[tuple[Seal, bool]]:
    """The next seals, and whether the events of each range are exactly its entries. At least one, if there is one."""
    return [
        (
            Seal(
                number=row["number"],
                after=row["after"],
                through=row["through"],
                events=row["events"],
                total=row["total"],
                entries=row["entries"],
                previous=row["previous"],
                hash=row["hash"],
                sealed_at=row["sealed_at"],
            ),
            row["is_same"],
        )
        for row in await connection.fetch(_SEALS, last.number, last.total + most_events, most)
    ]


async def entries_between(connection: Connection, after: int, through: int, most: int) -> list[Entry]:
    packed: bytes | None = await connection.fetchval(_FOUND, after, through, most)
    return list(entries_in(packed or b""))


async def tail(connection: Connection, through: int, overdue_before: datetime) -> Row:
    """What lies above the last seal: `unsealed` (how many), and the first that is overdue and the first numbered ahead."""
    row = await connection.fetchrow(_TAIL, through, overdue_before)
    assert row is not None
    return row
