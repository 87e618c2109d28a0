"""The one statement that writes what a transaction decided: orders, events and fills, the portfolio where it changed, outbox.

One round trip whatever the transaction holds. There are two of it: a router may not write anybody's positions or money, and
PostgreSQL asks for the right to every table a statement names. The parameters are made by `changes`.
"""

from typing import Final

from vyomo_ledger.sequence import HORIZON_SQL, TRANSACTION_SQL


def _unnest(first: int, types: str) -> str:
    """`unnest($first::type[], ...)` for a space separated list of element types."""
    return f"unnest({', '.join(f'${first + index}::{name}[]' for index, name in enumerate(types.split()))})"


_ORDERS: Final = _unnest(
    1,
    "bigint text integer integer numeric numeric text text text integer numeric text text text text text text "
    "timestamptz timestamptz text text text integer",
)
_FILLS: Final = _unnest(24, "bigint text text text text text text text integer numeric text timestamptz")
_POSITIONS: Final = _unnest(
    36,
    "bigint text text text text text integer integer integer numeric integer numeric integer numeric numeric numeric "
    "bigint timestamptz text integer",
)
_FUNDS: Final = _unnest(56, "bigint text numeric numeric numeric bigint timestamptz integer")
_HOLDINGS: Final = _unnest(64, "bigint text text text text integer numeric numeric bigint text integer")

_WRITE_ORDERS: Final = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM {_ORDERS} WITH ORDINALITY AS i (
        account_id, order_id, expected_version, quantity, price, trigger_price, order_type, validity, state,
        filled_quantity, average_price, broker_order_id, reason_code, reason, pending_action, pending_stage,
        pending_parameters, send_deadline, updated_at, event_type, body, broker, partition, place
    )
), updated AS (
    UPDATE ledger.broker_orders o SET
        quantity = i.quantity, price = i.price, trigger_price = i.trigger_price, order_type = i.order_type,
        validity = i.validity, state = i.state, filled_quantity = i.filled_quantity, average_price = i.average_price,
        broker_order_id = i.broker_order_id, reason_code = i.reason_code, reason = i.reason,
        pending_action = i.pending_action,
        pending_stage = CASE WHEN i.pending_action IS NOT NULL THEN coalesce(i.pending_stage, o.pending_stage) END,
        pending_parameters = CASE WHEN i.pending_action IS NOT NULL
                                  THEN coalesce(i.pending_parameters::jsonb, o.pending_parameters) END,
        send_deadline = coalesce(i.send_deadline, o.send_deadline),
        version = i.expected_version + 1, updated_at = i.updated_at
    FROM input i
    WHERE o.account_id = i.account_id AND o.order_id = i.order_id AND o.version = i.expected_version
    RETURNING o.order_id, o.user_id
), recorded AS (
    INSERT INTO ledger.order_events (order_id, version, account_id, user_id, sequence, type, body, recorded_at)
    SELECT i.order_id, i.expected_version + 1, i.account_id, u.user_id, {TRANSACTION_SQL} | i.place, i.event_type,
           i.body::jsonb, i.updated_at
    FROM input i JOIN updated u USING (order_id)
), filled AS (
    INSERT INTO ledger.fills (
        account_id, trade_id, order_id, user_id, exchange, symbol, product, transaction_type, quantity, price, basis, filled_at
    )
    SELECT * FROM {_FILLS}
    ON CONFLICT (account_id, trade_id) DO NOTHING
)
"""

_WRITE_PORTFOLIO: Final = f"""
, position_input AS MATERIALIZED (
    SELECT * FROM {_POSITIONS} AS i (
        account_id, user_id, broker, exchange, symbol, product, quantity, overnight_quantity, multiplier, average_price,
        buy_quantity, buy_value, sell_quantity, sell_value, realised, last_price, version, updated_at, key, partition
    )
), positioned AS (
    INSERT INTO accounts.positions AS p (
        account_id, user_id, broker, exchange, symbol, product, quantity, overnight_quantity, multiplier, average_price,
        buy_quantity, buy_value, sell_quantity, sell_value, realised, last_price, version, updated_at
    )
    SELECT account_id, user_id, broker, exchange, symbol, product, quantity, overnight_quantity, multiplier, average_price,
           buy_quantity, buy_value, sell_quantity, sell_value, realised, last_price, version, updated_at
    FROM position_input
    ORDER BY account_id, exchange, symbol, product
    ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET
        quantity = excluded.quantity, overnight_quantity = excluded.overnight_quantity, multiplier = excluded.multiplier,
        average_price = excluded.average_price, buy_quantity = excluded.buy_quantity, buy_value = excluded.buy_value,
        sell_quantity = excluded.sell_quantity, sell_value = excluded.sell_value, realised = excluded.realised,
        last_price = excluded.last_price, version = excluded.version, updated_at = excluded.updated_at
    WHERE p.version < excluded.version
), funds_input AS MATERIALIZED (
    SELECT * FROM {_FUNDS} AS i (account_id, broker, balance, used, available, version, updated_at, partition)
), funded AS (
    UPDATE accounts.broker_accounts a SET
        balance = i.balance, margin_used = i.used, margin_available = i.available, funds_version = i.version,
        last_synced = i.updated_at, updated_at = i.updated_at
    FROM funds_input i
    WHERE a.id = i.account_id AND a.funds_version < i.version
), holding_input AS MATERIALIZED (
    SELECT * FROM {_HOLDINGS} AS i (
        account_id, user_id, broker, exchange, symbol, quantity, average_price, last_price, version, key, partition
    )
), held AS (
    INSERT INTO accounts.holdings AS h (
        account_id, user_id, exchange, symbol, quantity, average_price, last_price, version, updated_at
    )
    SELECT account_id, user_id, exchange, symbol, quantity, average_price, last_price, version, now() FROM holding_input
    ORDER BY account_id, exchange, symbol
    ON CONFLICT (account_id, exchange, symbol) DO UPDATE SET
        quantity = excluded.quantity, average_price = excluded.average_price, last_price = excluded.last_price,
        version = excluded.version, updated_at = excluded.updated_at
    WHERE h.version < excluded.version
)
"""

_POINTERS_TO_ORDERS: Final = """
SELECT broker, partition, order_id, expected_version + 1 AS version, NULL AS position_key, NULL AS holding_key,
       NULL::bigint AS account_id FROM input
"""
_POINTERS_TO_PORTFOLIO: Final = """
UNION ALL SELECT broker, partition, NULL, NULL, key, NULL, NULL FROM position_input
UNION ALL SELECT broker, partition, NULL, NULL, NULL, key, NULL FROM holding_input
UNION ALL SELECT broker, partition, NULL, NULL, NULL, NULL, account_id FROM funds_input
"""


def _announce(pointers: str) -> str:
    return f"""
, announced AS (
    INSERT INTO ledger.outbox (broker, partition, order_ids, versions, position_keys, holding_keys, account_ids)
    SELECT broker, partition,
           coalesce(array_agg(order_id) FILTER (WHERE order_id IS NOT NULL), '{{}}'),
           coalesce(array_agg(version) FILTER (WHERE order_id IS NOT NULL), '{{}}'),
           coalesce(array_agg(position_key) FILTER (WHERE position_key IS NOT NULL), '{{}}'),
           coalesce(array_agg(holding_key) FILTER (WHERE holding_key IS NOT NULL), '{{}}'),
           coalesce(array_agg(account_id) FILTER (WHERE account_id IS NOT NULL), '{{}}')
    FROM ({pointers}) AS pointers
    GROUP BY broker, partition
    RETURNING id, broker, partition
)
SELECT o.id AS outbox_id, o.broker, o.partition, {TRANSACTION_SQL} AS sequence, {HORIZON_SQL} AS horizon,
       (SELECT count(*) FROM updated) AS written
FROM announced o
"""


WRITE_ORDERS: Final = _WRITE_ORDERS + _announce(_POINTERS_TO_ORDERS)
WRITE_ORDERS_AND_PORTFOLIO: Final = (
    _WRITE_ORDERS + _WRITE_PORTFOLIO + _announce(_POINTERS_TO_ORDERS + _POINTERS_TO_PORTFOLIO)
)
