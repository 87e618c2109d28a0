"""The safety net under publishing: outbox rows whose committer did not get them onto the bus are published by whoever holds the lease.

A row only points at what changed, and events are snapshots, so the relay sends order events and alerts as recorded, and positions,
holdings, funds and broker sessions as they now are.
"""

from datetime import timedelta
from typing import Final

import structlog
from nats.errors import MaxPayloadError
from pydantic import TypeAdapter

from vyomo_contracts.alerts import Alert
from vyomo_contracts.events import (
    AlertRaised,
    FundsChanged,
    HoldingChanged,
    OrderChanged,
    PositionChanged,
    RiskChanged,
    SessionChanged,
)
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.risk import RiskDecision
from vyomo_contracts.sessions import BrokerSession
from vyomo_ledger.sequence import HORIZON_SQL
from vyomo_ledger.writing.bodies import text_of
from vyomo_ledger.writing.dead_letters import bury_outbox_row
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.publishing import EventPublisher, Publication
from vyomo_service_kit import failpoints
from vyomo_service_kit.bus import BusUnavailableError
from vyomo_service_kit.database import Connection, Database, Row

log = structlog.get_logger()

LEFT_BEHIND_AFTER: Final = timedelta(seconds=2)
"""A committer publishes within milliseconds; a row this old was left behind."""
MOST_ROWS: Final = 200
MOST_FAILURES: Final = 3

_FILLS = TypeAdapter(tuple[Fill, ...])
_TRADE_IDS = TypeAdapter(tuple[str, ...] | None)

_LEFT_BEHIND: Final = (
    "SELECT * FROM ledger.outbox WHERE created_at < now() - $1::interval ORDER BY id LIMIT $2"
)
_DELETE: Final = "DELETE FROM ledger.outbox WHERE id = $1"
_EVENTS: Final = f"""
SELECT e.sequence, least(e.sequence, {HORIZON_SQL}) AS cursor, e.body -> 'order' AS snapshot, e.body -> 'fills' AS fills,
       coalesce(e.body -> 'superseded_fills', 'null') AS superseded_fills
FROM ledger.order_events e
JOIN unnest($1::text[], $2::integer[]) AS wanted (order_id, version) USING (order_id, version)
ORDER BY e.sequence
"""
_POSITIONS: Final = """
SELECT * FROM accounts.positions
WHERE account_id || '|' || exchange || '|' || symbol || '|' || product = ANY($1::text[]) AND account_id = ANY($2::bigint[])
"""
_HOLDINGS: Final = """
SELECT * FROM accounts.holdings
WHERE account_id || '|' || exchange || '|' || symbol = ANY($1::text[]) AND account_id = ANY($2::bigint[])
"""
_FUNDS: Final = """
SELECT id AS account_id, user_id, broker, balance, margin_used AS used, margin_available AS available,
       funds_version AS version, updated_at
FROM accounts.broker_accounts WHERE id = ANY($1::bigint[])
"""
_DECISIONS: Final = (
    "SELECT sequence, body FROM ledger.risk_events WHERE sequence = ANY($1::bigint[]) ORDER BY sequence"
)
_ALERTS: Final = (
    f"SELECT {', '.join(Alert.model_fields)} FROM ledger.alerts WHERE id = ANY($1::bigint[]) ORDER BY id"
)
_SESSIONS: Final = f"SELECT {', '.join(BrokerSession.model_fields)} FROM accounts.broker_sessions WHERE account_id = ANY($1::bigint[])"


class Relay:
    def __init__(self, database: Database, publisher: EventPublisher, lease: Lease) -> None:
        self._database = database
        self._publisher = publisher
        self._lease = lease

    async def run_once(self) -> int:
        """Publish what was left behind; the number of rows that are on the bus now."""
        if not await self._lease.hold():
            return 0
        published = failed = 0
        async with self._database.connection() as connection:
            for row in await connection.fetch(_LEFT_BEHIND, LEFT_BEHIND_AFTER, MOST_ROWS):
                try:
                    events = await _events_of(connection, row)
                    publication = Publication(row["id"], row["broker"], row["partition"], events)
                    failpoints.reach("relay.waiting")
                    await self._publisher.store(publication, again=True)
                except ValueError as error:
                    # What it points to cannot be read: a person's to mend, and no reason to keep the others back.
                    log.exception("relay.unreadable", outbox_id=row["id"])
                    await bury_outbox_row(connection, row, f"unreadable: {type(error).__name__}")
                    continue
                except BusUnavailableError as error:
                    if isinstance(error.__cause__, MaxPayloadError):
                        log.exception("relay.too_large", outbox_id=row["id"])
                        await bury_outbox_row(connection, row, "larger than a message may be")
                        continue
                    # One row that cannot go must not keep the others back; a bus that is away takes none of them.
                    log.warning("relay.not_published", outbox_id=row["id"], why=str(error))
                    failed += 1
                    if failed >= MOST_FAILURES:
                        break
                    continue
                failpoints.reach("relay.stored")
                # Only after the acknowledgement: a crash in between publishes twice, never not at all.
                await connection.execute(_DELETE, row["id"])
                published += 1
        if published:
            log.info("relay.published", rows=published)
        return published


async def _events_of(connection: Connection, row: Row) -> list[str]:
    orders = await connection.fetch(_EVENTS, row["order_ids"], row["versions"]) if row["order_ids"] else []
    positions = await _fetch_by_key(connection, _POSITIONS, row["position_keys"])
    holdings = await _fetch_by_key(connection, _HOLDINGS, row["holding_keys"])
    funds = await connection.fetch(_FUNDS, row["account_ids"]) if row["account_ids"] else []
    decisions = await connection.fetch(_DECISIONS, row["risk_sequences"]) if row["risk_sequences"] else []
    alerts = await connection.fetch(_ALERTS, row["alert_ids"]) if row["alert_ids"] else []
    accounts = row["session_account_ids"]
    sessions = await connection.fetch(_SESSIONS, accounts) if accounts else []
    events = [
        *map(_order_changed, orders),
        *(PositionChanged(position=Position.model_validate(dict(each))) for each in positions),
        *(
            HoldingChanged(user_id=each["user_id"], holding=Holding.model_validate(dict(each)))
            for each in holdings
        ),
        *(FundsChanged(funds=Funds.model_validate(dict(each))) for each in funds),
        *map(_risk_changed, decisions),
        *(AlertRaised(alert=Alert.model_validate(dict(each))) for each in alerts),
        *(SessionChanged(session=BrokerSession.model_validate(dict(each))) for each in sessions),
    ]
    return [text_of(event) for event in events]


async def _fetch_by_key(connection: Connection, query: str, keys: list[str]) -> list[Row]:
    """Keys are `account|exchange|symbol...`; the account number lets the query use its index."""
    return await connection.fetch(query, keys, [int(key.split("|", 1)[0]) for key in keys]) if keys else []


def _order_changed(row: Row) -> OrderChanged:
    return OrderChanged(
        sequence=row["sequence"],
        cursor=row["cursor"],
        order=Order.model_validate_json(row["snapshot"]),
        fills=_FILLS.validate_json(row["fills"]),
        superseded_fills=_TRADE_IDS.validate_json(row["superseded_fills"]),
    )


def _risk_changed(row: Row) -> RiskChanged:
    decision = RiskDecision.model_validate_json(row["body"])
    return RiskChanged(sequence=row["sequence"], cursor=row["sequence"], decision=decision)
