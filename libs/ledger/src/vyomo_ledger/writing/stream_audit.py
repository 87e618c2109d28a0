"""Holds the event stream against the record: what the stream has lost is told again.

A committer's outbox row goes once the bus has stored the event; what becomes of the stream afterwards (wiped, cut by a crash) nobody
notices who only publishes. So each five minutes, and at once when the stream had to be declared anew, the last event of every order
that changed lately is looked for in the stream; an order whose last version is not there gets an outbox row, and the relay does the
rest. Consumers drop what they know by its version.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from vyomo_contracts import subjects
from vyomo_contracts.topology import EVENTS, partition_of
from vyomo_ledger.writing.leases import Lease
from vyomo_service_kit.bus import Bus, BusUnavailableError
from vyomo_service_kit.database import Connection, Database

log = structlog.get_logger()

EVERY_SECONDS: Final = 300.0
LOOKS_BACK: Final = timedelta(seconds=2 * EVERY_SECONDS)
"""Twice the interval: one audit that could not be made leaves no gap."""
ON_ITS_WAY: Final = timedelta(seconds=6)
"""Younger events may still be with their committer or the relay."""
MOST_MESSAGES: Final = 100_000
MOST_ORDERS: Final = 10_000
"""Told again by one audit, the newest first: the relay must not be busy with old news for long. The next audit finds the others."""
ORDERS_A_ROW: Final = 200
_MESSAGES_AT_ONCE: Final = 100
_READ_SECONDS: Final = 5.0

_CHANGED: Final = """
SELECT order_id, account_id, max(version) AS version FROM ledger.order_events
WHERE recorded_at >= $1 AND recorded_at < $2 GROUP BY order_id, account_id ORDER BY max(sequence) DESC
"""
_ON_THEIR_WAY: Final = "SELECT DISTINCT unnest(order_ids) AS order_id FROM ledger.outbox"
_AS_THEY_ARE: Final = """
SELECT o.order_id, o.account_id, o.broker, o.version FROM ledger.broker_orders o
JOIN unnest($1::bigint[], $2::text[]) AS lost (account_id, order_id) USING (account_id, order_id)
"""
_POSITIONS: Final = """
SELECT account_id, account_id || '|' || exchange || '|' || symbol || '|' || product AS key FROM accounts.positions
WHERE account_id = ANY($1::bigint[]) AND updated_at >= $2
"""
_TELL_AGAIN: Final = """
INSERT INTO ledger.outbox (broker, partition, order_ids, versions, position_keys, account_ids) VALUES ($1, $2, $3, $4, $5, $6)
"""


class StreamAudit:
    def __init__(self, database: Database, bus: Bus, lease: Lease, *, partitions: int) -> None:
        self._database = database
        self._bus = bus
        self._lease = lease
        self._partitions = partitions
        self.due = asyncio.Event()
        """Set when there is reason to look at once."""
        self._is_new = False

    def stream_is_new(self) -> None:
        """It had to be declared anew: what it held is gone, also what it was given a moment ago."""
        self._is_new = True
        self.due.set()

    async def run_once(self) -> int:
        """How many orders are told again."""
        if not await self._lease.hold():
            return 0
        async with self._database.connection() as connection:
            now: datetime | None = await connection.fetchval("SELECT clock_timestamp()")
            assert now is not None
            since = now - LOOKS_BACK
            # Before the stream is read: whatever is changed from now on may be in it or not.
            until = now if self._is_new else now - ON_ITS_WAY
            changed = await connection.fetch(_CHANGED, since, until)
        if not changed:
            self._is_new = False
            return 0
        stored = await self._last_versions(since - ON_ITS_WAY)
        async with self._database.connection() as connection:
            # Of a new stream not even that: the old one may have stored the event a moment ago, and its outbox row is about to go.
            on_their_way = () if self._is_new else await connection.fetch(_ON_THEIR_WAY)
            waiting = {row["order_id"] for row in on_their_way}
            lost = [
                (row["account_id"], row["order_id"])
                for row in changed
                if stored.get(row["order_id"], 0) < row["version"] and row["order_id"] not in waiting
            ]
            if lost:
                log.error("audit.stream_behind_record", orders=len(lost), looked_at=len(changed))
                await self._tell_again(connection, lost[:MOST_ORDERS], since)
        self._is_new = False
        log.info("audit.stream", orders=len(changed), lost=len(lost))
        return len(lost)

    async def _last_versions(self, since: datetime) -> Mapping[str, int]:
        """The highest version in the stream of each order told of since then.

        Raises:
            BusUnavailableError: the stream cannot be read, or there is more than an audit reads.
        """
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=since,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=30,
            mem_storage=True,
            num_replicas=1,
        )
        versions: dict[str, int] = {}
        try:
            reading = await self._bus.stored.pull_subscribe(
                subjects.ALL_EVENTS, stream=EVENTS.name, config=config
            )
            try:
                left = (await reading.consumer_info()).num_pending or 0
                if left > MOST_MESSAGES:
                    raise BusUnavailableError(EVENTS.name, f"{left} messages are more than an audit reads")
                while left > 0:
                    messages = await reading.fetch(min(left, _MESSAGES_AT_ONCE), timeout=_READ_SECONDS)
                    for message in messages:
                        for order_id, version in _versions_in(message.data):
                            versions[order_id] = max(version, versions.get(order_id, 0))
                    left -= len(messages)
            finally:
                await reading.unsubscribe()
        except (NatsError, OSError, TimeoutError) as error:
            raise BusUnavailableError(EVENTS.name, type(error).__name__) from error
        return versions

    async def _tell_again(
        self, connection: Connection, lost: Sequence[tuple[int, str]], since: datetime
    ) -> None:
        """The orders as they now are, and with them their accounts' funds and the positions that changed meanwhile."""
        accounts, order_ids = zip(*lost, strict=True)
        orders = await connection.fetch(_AS_THEY_ARE, list(accounts), list(order_ids))
        groups: dict[tuple[str, int], list[Any]] = {}
        for order in orders:
            place = (order["broker"], partition_of(order["account_id"], self._partitions))
            groups.setdefault(place, []).append(order)
        positions = await connection.fetch(_POSITIONS, sorted(set(accounts)), since)
        for (broker, partition), of_group in groups.items():
            for first in range(0, len(of_group), ORDERS_A_ROW):
                part = of_group[first : first + ORDERS_A_ROW]
                concerned = {order["account_id"] for order in part}
                await connection.execute(
                    _TELL_AGAIN,
                    broker,
                    partition,
                    [order["order_id"] for order in part],
                    [order["version"] for order in part],
                    [row["key"] for row in positions if row["account_id"] in concerned],
                    sorted(concerned),
                )


def _versions_in(payload: bytes) -> Iterator[tuple[str, int]]:
    """Only what is asked for: reading thousands of messages as models would keep the router from its orders."""
    try:
        items = orjson.loads(payload).get("items", ())
    except (orjson.JSONDecodeError, AttributeError):
        return
    for item in items:
        if item.get("kind") == "order":
            order = item["order"]
            yield order["order_id"], order["version"]
