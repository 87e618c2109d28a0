"""After the faults: what the record says, held against what the clients were told and what the broker really holds."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from .load import Told

_ROWS: Final = """
SELECT order_id, account_id, broker, broker_tag, state, reason_code, version, quantity, filled_quantity, sequence,
       extract(epoch FROM expires_at)::float8 AS expires_at
FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[]) AND origin = 'vyomo'
"""
_UNFINISHED: Final = """
SELECT account_id, order_id, state FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[])
AND state NOT IN ('DENIED', 'FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED')
"""
_RESTING: Final = """
SELECT account_id, order_id FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[])
AND state IN ('OPEN', 'TRIGGER_PENDING') AND pending_action IS NULL
"""
_GAPS: Final = """
SELECT count(*) FROM (
    SELECT order_id FROM ledger.order_events WHERE account_id = ANY($1::bigint[])
    GROUP BY order_id HAVING min(version) <> 1 OR max(version) <> count(*)
) AS gaps
"""
_NOT_REPLAYED: Final = """
SELECT count(*) FROM ledger.broker_orders o
LEFT JOIN ledger.order_events e ON e.order_id = o.order_id AND e.version = o.version
WHERE o.account_id = ANY($1::bigint[]) AND (e.order_id IS NULL OR e.body->'order'->>'state' <> o.state
    OR (e.body->'order'->>'filled_quantity')::int IS DISTINCT FROM o.filled_quantity)
"""
_FILLS_OFF: Final = """
SELECT count(*) FROM ledger.broker_orders o
LEFT JOIN (SELECT order_id, sum(quantity) AS filled FROM ledger.fills GROUP BY order_id) f USING (order_id)
WHERE o.account_id = ANY($1::bigint[]) AND coalesce(f.filled, 0) <> o.filled_quantity
"""
_AMBIGUOUS: Final = """
SELECT count(DISTINCT order_id) FROM ledger.order_events
WHERE account_id = ANY($1::bigint[]) AND type = 'order.unconfirmed'
"""
_OUTBOX: Final = (
    "SELECT count(*) FROM ledger.outbox WHERE created_at < clock_timestamp() - interval '2 seconds'"
)
"""Younger rows are on their way: a switch that time opened again is an event, too."""

_LATE_SECONDS: Final = 1.0
"""Between the check before the call and the broker's note of it."""


@dataclass
class Verdict:
    """Every figure but the first six must be 0."""

    orders: int = 0
    ambiguous: int = 0
    refused: int = 0
    unavailable: int = 0
    keys_repeated: int = 0
    sent: int = 0
    """Orders the broker has at least once."""
    lost: int = 0
    """Accepted orders without a row."""
    duplicated: int = 0
    """Orders of which the broker holds more than one."""
    stuck: int = 0
    """Orders without an end after the settle time."""
    orphaned: int = 0
    """Orders at the broker with a tag of ours that no row knows."""
    wrongly_ended: int = 0
    """Orders the record calls unsent, refused or not found though the broker holds them."""
    event_gaps: int = 0
    not_replayed: int = 0
    fills_off: int = 0
    outbox_left: int = 0
    keys_broken: int = 0
    without_verdict: int = 0
    slow_refusals: int = 0
    sent_expired: int = 0
    """Calls that reached the broker after the order had expired."""
    examples: list[str] = field(default_factory=list[str])


class Record:
    """The order record, read beside the system."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def unfinished(self, accounts: Sequence[int]) -> int:
        return len(await self._connection.fetch(_UNFINISHED, accounts))

    async def resting(self, accounts: Sequence[int]) -> list[tuple[int, str]]:
        """Orders that wait for the market and would for ever: account and order id."""
        rows = await self._connection.fetch(_RESTING, accounts)
        return [(row["account_id"], row["order_id"]) for row in rows]

    async def ambiguous(self, accounts: Sequence[int]) -> int:
        """Orders of which nobody knew for a while whether the broker had them."""
        return await count_of(self._connection, _AMBIGUOUS, accounts)

    async def outbox(self) -> int:
        return await count_of(self._connection, _OUTBOX)

    async def judge(self, accounts: Sequence[int], told: Told, truth: Mapping[str, Any]) -> Verdict:
        rows = {row["order_id"]: row for row in await self._connection.fetch(_ROWS, accounts)}
        held: Mapping[str, Sequence[Mapping[str, Any]]] = truth["orders_by_tag"]
        mine = {row["broker_tag"]: row for row in rows.values()}
        verdict = Verdict(
            orders=len(rows),
            refused=sum(told.refused.values()),
            unavailable=told.unavailable,
            keys_repeated=told.keys_repeated,
            keys_broken=len(told.keys_broken),
            without_verdict=len(told.without_verdict),
            slow_refusals=told.slow_refusals,
        )
        known = set(accounts)
        ours = {order.order_id for order in told.accepted if order.account_id in known}
        verdict.lost = len(ours - rows.keys())
        for tag, orders in held.items():
            row = mine.get(tag)
            verdict.sent += row is not None
            if tag and row is None and orders[0]["account_id"] in known:
                verdict.orphaned += 1
            if tag and row is not None and len(orders) > 1:
                verdict.duplicated += 1
                verdict.examples.append(f"{row['order_id']} is at the broker {len(orders)} times")
            if row is not None and row["state"] in {"DENIED", "EXPIRED"}:
                verdict.wrongly_ended += 1
                verdict.examples.append(f"{row['order_id']} is {row['state']} and at the broker")
            if row is not None and row["state"] == "REJECTED":
                verdict.wrongly_ended += 1
                verdict.examples.append(
                    f"{row['order_id']} is REJECTED ({row['reason_code']}) and at the broker"
                )
        # The broker's own clock is the machine's monotonic one.
        offset = time.time() - time.monotonic()
        for arrival in truth["arrivals"]:
            row = mine.get(arrival["key"]) if arrival["method"] == "POST" else None
            if row is not None and arrival["at"] + offset > row["expires_at"] + _LATE_SECONDS:
                verdict.sent_expired += 1
                verdict.examples.append(f"{row['order_id']} was sent after it had expired")
        unfinished = await self._connection.fetch(_UNFINISHED, accounts)
        verdict.stuck = len(unfinished)
        verdict.examples += [f"{row['order_id']} is still {row['state']}" for row in unfinished[:5]]
        verdict.examples += told.keys_broken[:5]
        verdict.ambiguous = await self.ambiguous(accounts)
        verdict.event_gaps = await count_of(self._connection, _GAPS, accounts)
        verdict.not_replayed = await count_of(self._connection, _NOT_REPLAYED, accounts)
        verdict.fills_off = await count_of(self._connection, _FILLS_OFF, accounts)
        verdict.outbox_left = await self.outbox()
        return verdict


async def count_of(connection: asyncpg.Connection, query: str, *values: object) -> int:
    count = await connection.fetchval(query, *values)
    assert isinstance(count, int)
    return count
