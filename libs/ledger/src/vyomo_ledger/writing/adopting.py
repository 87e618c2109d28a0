"""Taking up orders that were not placed through us: rows of a broker's book become orders of the account, at version 1, as they are.

Never NEW, so no worker ever claims one. Ids are made from the broker's own, so adopting twice is adopting once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.topology import partition_of
from vyomo_ledger.sequence import HORIZON_SQL, TRANSACTION_SQL
from vyomo_ledger.writing.bodies import event_body, order_changed
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.trails import by, recorded
from vyomo_service_kit.database import Connection

EVENT_TYPE: Final = "order.adopted"


@dataclass(frozen=True, slots=True)
class Adoption:
    order: Order
    fills: tuple[Fill, ...] = ()

    @property
    def idempotency_key(self) -> str:
        """No caller can use it: theirs have no space."""
        return f"external {self.order.order_id}"[:64]


_ADOPT: Final = f"""
WITH input AS MATERIALIZED (
    SELECT i.place, i.body, i.idempotency_key, i.body_hash, o.*
    FROM json_to_recordset($2::json) AS i (place bigint, body json, idempotency_key text, body_hash text),
    json_to_record(i.body -> 'order') AS o (
        order_id text, user_id text, broker text, symbol text, exchange text, transaction_type text, order_type text,
        quantity integer, price numeric, trigger_price numeric, state text, filled_quantity integer, average_price numeric,
        product text, validity text, tag text, broker_tag text, broker_order_id text, origin text, reason_code text,
        reason text, expires_at timestamptz, created_at timestamptz, updated_at timestamptz
    )
), advanced AS (
    UPDATE ledger.lanes SET next_sequence = next_sequence + (SELECT count(*) FROM input)
    WHERE account_id = $1 AND lane = 'ACCEPT'
    RETURNING next_sequence - (SELECT count(*) FROM input) AS first
), inserted AS (
    INSERT INTO ledger.broker_orders (
        account_id, order_id, user_id, broker, symbol, exchange, transaction_type, order_type, quantity, price,
        trigger_price, state, filled_quantity, average_price, product, validity, tag, broker_tag, broker_order_id, origin,
        reason_code, reason, idempotency_key, body_hash, sequence, version, expires_at, created_at, updated_at
    )
    SELECT $1, i.order_id, i.user_id, i.broker, i.symbol, i.exchange, i.transaction_type, i.order_type, i.quantity,
           i.price, i.trigger_price, i.state, i.filled_quantity, i.average_price, i.product, i.validity, i.tag,
           i.broker_tag, i.broker_order_id, i.origin, i.reason_code, i.reason, i.idempotency_key, i.body_hash,
           a.first + i.place - 1, 1, i.expires_at, i.created_at, i.updated_at
    FROM input i, advanced a
    ON CONFLICT DO NOTHING
    RETURNING order_id
), recorded AS (
    INSERT INTO ledger.order_events (order_id, version, account_id, user_id, sequence, type, body, recorded_at)
    SELECT i.order_id, 1, $1, i.user_id, {TRANSACTION_SQL} | i.place, '{EVENT_TYPE}', i.body::jsonb, i.updated_at
    FROM input i JOIN inserted USING (order_id)
), filled AS (
    INSERT INTO ledger.fills (
        account_id, trade_id, order_id, user_id, exchange, symbol, product, transaction_type, quantity, price, basis, filled_at
    )
    SELECT $1, f.trade_id, f.order_id, i.user_id, f.exchange, f.symbol, f.product, f.transaction_type, f.quantity,
           f.price, f.basis, f.filled_at
    FROM input i JOIN inserted USING (order_id), json_to_recordset(i.body -> 'fills') AS f (
        trade_id text, order_id text, exchange text, symbol text, product text, transaction_type text, quantity integer,
        price numeric, basis text, filled_at timestamptz
    )
    ON CONFLICT (account_id, trade_id) DO NOTHING
), announced AS (
    INSERT INTO ledger.outbox (broker, partition, order_ids, versions)
    SELECT i.broker, $3, array_agg(i.order_id ORDER BY i.place), array_agg(1)
    FROM input i JOIN inserted USING (order_id) GROUP BY i.broker
    RETURNING id, broker
)
SELECT i.place, {TRANSACTION_SQL} | i.place AS sequence, {HORIZON_SQL} AS horizon, o.id AS outbox_id
FROM input i JOIN inserted USING (order_id) JOIN announced o USING (broker)
ORDER BY i.place
"""


async def adopt_orders(
    connection: Connection,
    account_id: int,
    adoptions: Sequence[Adoption],
    *,
    partitions: int,
    component: str,
) -> tuple[list[Order], list[Publication]]:
    """Those that were not there yet, and what is to be published."""
    partition = partition_of(account_id, partitions)
    bodies = [event_body(each.order, each.fills) for each in adoptions]
    trail = by(component)
    rows = [
        {
            "place": place,
            "body": orjson.Fragment(recorded(body, trail)),
            "idempotency_key": each.idempotency_key,
            "body_hash": hashlib.sha256(each.idempotency_key.encode()).hexdigest(),
        }
        for place, (each, body) in enumerate(zip(adoptions, bodies, strict=True), start=1)
    ]
    adopted: list[Order] = []
    publications: dict[int, Publication] = {}
    for row in await connection.fetch(_ADOPT, account_id, orjson.dumps(rows).decode(), partition):
        order = adoptions[row["place"] - 1].order
        adopted.append(order)
        publication = publications.setdefault(
            row["outbox_id"], Publication(row["outbox_id"], order.broker, partition, [])
        )
        body = bodies[row["place"] - 1]
        publication.events.append(order_changed(body, sequence=row["sequence"], horizon=row["horizon"]))
    return adopted, list(publications.values())
