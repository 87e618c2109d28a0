"""How often each window of the failure table was really hit: by what struck there, and by the traces it left in record and logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg

from .checks import count_of
from .faults import Struck
from .strikes import Hit

ELSEWHERE: Final = "L3"


@dataclass(frozen=True, slots=True)
class Window:
    what: str
    counted: str
    """What one hit is."""
    elsewhere: str = ""
    """Where it is tested when not here."""


WINDOWS: Final[Mapping[str, Window]] = {
    "F1": Window("router dies before the acceptance commits", "kills in that window"),
    "F2": Window("router dies after the commit, before the 202", "kills in that window"),
    "F3": Window("the answer to the acceptance's COMMIT is lost", "orders recorded though 503 was told"),
    "F4": Window("committer or relay dies before publishing", "kills in that window"),
    "F5": Window("committer or relay dies after the bus stored, before delete", "kills in that window"),
    "F6": Window("the bus loses everything while orders wait", "orders NEW during a wipe"),
    "F7": Window("worker dies before its claim", "kills in that window"),
    "F8": Window("the same command is delivered twice", "doorbells said again"),
    "F9": Window("worker dies after the claim, before the call", "kills in that window"),
    "F10": Window("worker dies with an answer that is not recorded", "kills in that window"),
    "F11": Window("time-out, 5xx, reset", "orders of unknown outcome"),
    "F12": Window("worker stands still between claim and call", "stops in that window"),
    "F13": Window("the commit of an outcome fails", "outcomes recorded again, by the workers' logs"),
    "F14": Window("a message's acknowledgement is lost", "kills between handling and acknowledging"),
    "F15": Window("events doubled and out of order", "events said again, up to 3 s late"),
    "F16": Window("a fill is seen before the answer to the call", "orders filled before acknowledged"),
    "F17": Window("PostgreSQL is down or cut off", "kills and partitions"),
    "F18": Window("NATS is down or cut off", "kills, wipes, pauses and partitions"),
    "F19": Window("disk full under NATS", "", elsewhere=ELSEWHERE),
    "F20": Window("disk full under PostgreSQL", "", elsewhere=ELSEWHERE),
    "F21": Window("clocks jump", "", elsewhere="./vyomo simulate"),
    "F22": Window("the broker's session ends in the middle", "sessions found ended by a refused call"),
}

_POINTS: Final = {
    "F1": ("accept.waiting",),
    "F2": ("accept.committed",),
    "F4": ("publish.waiting", "relay.waiting"),
    "F5": ("publish.stored", "relay.stored"),
    "F7": ("lanes.rung",),
    "F9": ("claim.committed",),
    "F10": ("outcome.unrecorded",),
    "F14": ("message.handled",),
}

_NEW_DURING: Final = """
SELECT count(DISTINCT a.order_id) FROM unnest($2::timestamptz[], $3::timestamptz[]) AS wipe (began, ended)
JOIN ledger.order_events a ON a.type = 'order.accepted' AND a.recorded_at <= wipe.ended AND a.account_id = ANY($1::bigint[])
LEFT JOIN ledger.order_events b ON b.order_id = a.order_id AND b.version = 2
WHERE b.recorded_at IS NULL OR b.recorded_at > wipe.began
"""
_FILLED_FIRST: Final = """
SELECT count(DISTINCT f.order_id) FROM ledger.order_events f
WHERE f.account_id = ANY($1::bigint[]) AND f.type IN ('order.filled', 'order.partially_filled') AND NOT EXISTS (
    SELECT FROM ledger.order_events a
    WHERE a.order_id = f.order_id AND a.version < f.version
      AND a.type NOT IN ('order.accepted', 'order.submitting', 'order.unconfirmed', 'order.partially_filled')
)
"""
_SESSIONS_ENDED: Final = "SELECT count(*) FROM ledger.alerts WHERE code = 'SESSION_EXPIRED'"
_AGAIN: Final = "remote.record_unavailable"


async def hits_of_windows(
    connection: asyncpg.Connection,
    *,
    real: Sequence[int],
    promised: Sequence[int],
    struck: Sequence[Struck],
    hits: Sequence[Hit],
    worker_logs: Sequence[Path],
) -> dict[str, int]:
    """Those that record, logs and strikes tell; the caller knows F3, F8, F11 and F15."""

    def of_points(*points: str, action: str = "kill") -> int:
        return sum(hit.point in points and hit.action == action for hit in hits)

    def troubles(server: str, *kinds: str) -> int:
        return sum(
            each.fault.kind in kinds
            if each.fault.target == server
            else each.fault.kind == "partition" and each.fault.target.endswith(f"-{server}")
            for each in struck
        )

    wipes = [each for each in struck if each.fault.kind == "wipe"]
    began = [datetime.fromtimestamp(each.began_at, UTC) for each in wipes]
    ended = [datetime.fromtimestamp(each.ended_at, UTC) for each in wipes]
    return {
        **{window: of_points(*points) for window, points in _POINTS.items()},
        "F6": await count_of(connection, _NEW_DURING, promised, began, ended),
        "F12": of_points("claim.committed", action="stop"),
        "F13": sum(_occurrences(path, _AGAIN) for path in worker_logs),
        "F16": await count_of(connection, _FILLED_FIRST, real),
        "F17": troubles("postgresql", "kill", "pause"),
        "F18": troubles("nats", "kill", "wipe", "pause"),
        "F22": await count_of(connection, _SESSIONS_ENDED),
    }


def table(results: Mapping[str, str | int | float]) -> list[str]:
    """Lines for people."""
    lines = ["window  hit      what happens there"]
    for name, window in WINDOWS.items():
        count = window.elsewhere or str(results.get(f"{name.lower()}_hits", 0))
        told = f"  ({window.counted})" if window.counted else ""
        lines.append(f"{name:<6}  {count:<7}  {window.what}{told}")
    return lines


def _occurrences(path: Path, text: str) -> int:
    with path.open(encoding="utf-8", errors="replace") as lines:
        return sum(text in line for line in lines)
