"""The one statement that writes what a transaction decided: orders, events and fills, the portfolio where it changed, outbox.

One round trip whatever the transaction holds. There are two of it: a router may not write anybody's positions or money, and
PostgreSQL asks for the right to every table a statement names. The parameters are JSON documents, made by `batch`.
"""

from functools import cache
from typing import Final

from vyomo_ledger.sequence import HORIZON_SQL, MAX_EVENTS_PER_TRANSACTION, TRANSACTION_SQL

FEW_ACCOUNTS: Final = "i.account_id > 0 AND i.account_id < 9223372036854775807"
"""Always true. It keeps the planner, who expects a hundred rows of a JSON array, from reading a whole table for one account."""

# The places say how many orders there can be. That also tells the planner that they are few, and it looks them up by index.
_WRITE_ORDERS: Final = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset($1::json) AS i (
        place bigint, event_type text, body json, pending_stage text, pending_parameters jsonb, send_deadline timestamptz,
        account_id bigint, order_id text, user_id text, version integer, quantity integer, price numeric,
        trigger_price numeric, order_type text, validity text, state text, filled_quantity integer, average_price numeric,
        broker_order_id text, reason_code text, reason text, pending_action text, updated_at timestamptz
    )
    WHERE i.place > 0 AND i.place < {MAX_EVENTS_PER_TRANSACTION}
), updated AS (
    UPDATE ledger.broker_orders o SET
        quantity = i.quantity, price = i.price, trigger_price = i.trigger_price, order_type = i.order_type,
        validity = i.validity, state = i.state, filled_quantity = i.filled_quantity, average_price = i.average_price,
        broker_order_id = i.broker_order_id, reason_code = i.reason_code, reason = i.reason,
        pending_action = i.pending_action,
        pending_stage = CASE WHEN i.pending_action IS NOT NULL THEN coalesce(i.pending_stage, o.pending_stage) END,
        pending_parameters = CASE WHEN i.pending_action IS NOT NULL
                                  THEN coalesce(i.pending_parameters, o.pending_parameters) END,
        send_deadline = coalesce(i.send_deadline, o.send_deadline),
        version = i.version, updated_at = i.updated_at
    FROM input i
    WHERE o.account_id = i.account_id AND o.order_id = i.order_id AND o.version = i.version - 1
    RETURNING o.order_id, o.account_id, o.user_id, o.version, o.updated_at, i.place, i.event_type, i.body
), recorded AS (
    INSERT INTO ledger.order_events (order_id, version, account_id, user_id, sequence, type, body, recorded_at)
    SELECT order_id, version, account_id, user_id, {TRANSACTION_SQL} | place, event_type, body::jsonb, updated_at
    FROM updated
), filled AS (
    INSERT INTO ledger.fills (
        account_id, trade_id, order_id, user_id, exchange, symbol, product, transaction_type, quantity, price, basis, filled_at
    )
    SELECT * FROM json_to_recordset($3::json) AS f (
        account_id bigint, trade_id text, order_id text, user_id text, exchange text, symbol text, product text,
        transaction_type text, quantity integer, price numeric, basis text, filled_at timestamptz
    )
    ON CONFLICT (account_id, trade_id) DO NOTHING
), announced AS (
    INSERT INTO ledger.outbox (
        broker, partition, order_ids, versions, position_keys, holding_keys, account_ids, alert_ids, session_account_ids
    )
    SELECT broker, partition, order_ids, versions, position_keys, holding_keys, account_ids, alert_ids, session_account_ids
    FROM json_to_recordset($2::json) AS i (
        broker text, partition integer, order_ids text[], versions integer[], position_keys text[], holding_keys text[],
        account_ids bigint[], alert_ids bigint[], session_account_ids bigint[]
    )
    RETURNING id, broker, partition
)
"""

_WRITE_PORTFOLIO: Final = f"""
, positioned AS (
    INSERT INTO accounts.positions AS p (
        account_id, user_id, broker, exchange, symbol, product, quantity, overnight_quantity, multiplier, average_price,
        buy_quantity, buy_value, sell_quantity, sell_value, realised, last_price, version, updated_at
    )
    SELECT i.* FROM json_to_recordset($4::json) AS i (
        account_id bigint, user_id text, broker text, exchange text, symbol text, product text, quantity bigint,
        overnight_quantity bigint, multiplier integer, average_price numeric, buy_quantity bigint, buy_value numeric,
        sell_quantity bigint, sell_value numeric, realised numeric, last_price numeric, version bigint,
        updated_at timestamptz
    )
    ORDER BY account_id, exchange, symbol, product
    ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET
        quantity = excluded.quantity, overnight_quantity = excluded.overnight_quantity, multiplier = excluded.multiplier,
        average_price = excluded.average_price, buy_quantity = excluded.buy_quantity, buy_value = excluded.buy_value,
        sell_quantity = excluded.sell_quantity, sell_value = excluded.sell_value, realised = excluded.realised,
        last_price = excluded.last_price, version = excluded.version, updated_at = excluded.updated_at
    WHERE p.version < excluded.version
), funded AS (
    UPDATE accounts.broker_accounts a SET
        balance = i.balance, margin_used = i.used, margin_available = i.available, funds_version = i.version,
        last_synced = i.updated_at, updated_at = i.updated_at
    FROM json_to_recordset($5::json) AS i (
        account_id bigint, balance numeric, used numeric, available numeric, version bigint, updated_at timestamptz
    )
    WHERE a.id = i.account_id AND a.funds_version < i.version AND {FEW_ACCOUNTS}
), held AS (
    INSERT INTO accounts.holdings AS h (
        account_id, user_id, exchange, symbol, quantity, average_price, last_price, version, updated_at
    )
    SELECT h.account_id, i.user_id, h.exchange, h.symbol, h.quantity, h.average_price, h.last_price, h.version, now()
    FROM json_to_recordset($6::json) AS i (user_id text, holding json), json_to_record(i.holding) AS h (
        account_id bigint, exchange text, symbol text, quantity bigint, average_price numeric, last_price numeric,
        version bigint
    )
    ORDER BY h.account_id, h.exchange, h.symbol
    ON CONFLICT (account_id, exchange, symbol) DO UPDATE SET
        quantity = excluded.quantity, average_price = excluded.average_price, last_price = excluded.last_price,
        version = excluded.version, updated_at = excluded.updated_at
    WHERE h.version < excluded.version
)
"""

_ANSWER: Final = f"""
SELECT o.id AS outbox_id, o.broker, o.partition, {TRANSACTION_SQL} AS sequence, {HORIZON_SQL} AS horizon,
       (SELECT count(*) FROM updated) AS written
FROM announced o
"""

WRITE_ORDERS: Final = _WRITE_ORDERS + _ANSWER
FIRST_FREE_PARAMETER: Final = 7
"""What a worker writes along numbers its parameters from here."""


@cache
def write_orders_and_portfolio(along: str) -> str:
    """`along` is empty or data-modifying CTEs of tables that are the worker's own, the first of them after a comma."""
    return _WRITE_ORDERS + _WRITE_PORTFOLIO + along + _ANSWER
