"""The venue's SQL. A round is read with two statements and written with one, whatever it holds."""

from typing import Final

LOCK_ACCOUNTS: Final = """
SELECT account_id, user_id, capital, realised, version, day FROM venue.accounts
WHERE account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
"""
OPEN_ACCOUNTS: Final = """
INSERT INTO venue.accounts (account_id, user_id, capital, version, day)
SELECT id, user_id, CASE WHEN unlimited THEN NULL ELSE initial_capital END, funds_version, $2
FROM accounts.broker_accounts WHERE id = ANY($1::bigint[]) AND broker = 'paper'
ON CONFLICT (account_id) DO NOTHING
"""
STATE: Final = """
SELECT 'position' AS kind, account_id, exchange, symbol, product, NULL AS transaction_type, multiplier,
       quantity::bigint AS quantity, overnight_quantity, overnight_value, buy_quantity, buy_value, sell_quantity,
       sell_value, realised, lots, version, NULL::numeric AS value
FROM venue.positions
WHERE account_id = ANY($1::bigint[])
  AND (quantity <> 0 OR buy_quantity <> 0 OR sell_quantity <> 0
       OR (exchange, symbol) IN (SELECT * FROM unnest($2::text[], $3::text[])))
UNION ALL
SELECT 'holding', account_id, exchange, symbol, NULL, NULL, NULL, quantity, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       lots, version, NULL
FROM venue.holdings WHERE account_id = ANY($1::bigint[])
UNION ALL
SELECT 'orders', account_id, exchange, symbol, product, transaction_type, NULL, sum(quantity - filled_quantity), NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       sum((quantity - filled_quantity) * coalesce(protection_price, price))
FROM venue.paper_orders
WHERE account_id = ANY($1::bigint[]) AND state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
GROUP BY account_id, exchange, symbol, product, transaction_type
"""
"""Positions, holdings and the sums of open orders in one round trip: a lonely order's latency is counted in round trips."""

_ORDER_COLUMNS: Final = """
order_id, account_id, user_id, symbol, exchange, product, transaction_type, order_type, validity, quantity, price,
trigger_price, protection_price, triggered_at, filled_quantity, filled_value, trades, state, reason, ahead, displayed,
created_at, updated_at, expires_at"""
ORDERS: Final = f"SELECT {_ORDER_COLUMNS} FROM venue.paper_orders WHERE order_id = ANY($1::text[])"
WORKING_ORDERS: Final = f"""
SELECT {_ORDER_COLUMNS} FROM venue.paper_orders
WHERE state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING') ORDER BY id
"""


def _unnest(first: int, types: str) -> str:
    """`unnest($first::type[], ...)` for a space separated list of element types."""
    return (
        f"unnest({', '.join(f'${place}::{name}[]' for place, name in enumerate(types.split(), start=first))})"
    )


_ORDERS: Final = _unnest(
    1,
    "text bigint text text text text text text text integer numeric numeric numeric timestamptz integer numeric integer "
    "text text bigint bigint timestamptz timestamptz timestamptz numeric",
)
_POSITIONS: Final = _unnest(
    26,
    "bigint text text text integer integer integer numeric integer numeric integer numeric numeric jsonb bigint",
)
_HOLDINGS: Final = _unnest(41, "bigint text text integer jsonb bigint")
_TRADES: Final = _unnest(47, "text text bigint text text text text integer numeric text timestamptz")
_ACCOUNTS: Final = _unnest(58, "bigint numeric bigint date")

SAVE_WIDTHS: Final = (25, 15, 6, 11, 4)
"""Columns of the orders, positions, holdings, trades and accounts that `SAVE` takes, in this order."""

SAVE: Final = f"""
WITH orders AS (
    INSERT INTO venue.paper_orders ({_ORDER_COLUMNS}, average_price)
    SELECT * FROM {_ORDERS}
    ON CONFLICT (order_id) DO UPDATE SET
        order_type = excluded.order_type, validity = excluded.validity, quantity = excluded.quantity,
        price = excluded.price, trigger_price = excluded.trigger_price, protection_price = excluded.protection_price,
        triggered_at = excluded.triggered_at, filled_quantity = excluded.filled_quantity,
        filled_value = excluded.filled_value, average_price = excluded.average_price, trades = excluded.trades,
        state = excluded.state, reason = excluded.reason, ahead = excluded.ahead, displayed = excluded.displayed,
        updated_at = excluded.updated_at, expires_at = excluded.expires_at
), positions AS (
    INSERT INTO venue.positions (
        account_id, exchange, symbol, product, multiplier, quantity, overnight_quantity, overnight_value, buy_quantity,
        buy_value, sell_quantity, sell_value, realised, lots, version
    )
    SELECT * FROM {_POSITIONS}
    ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET
        multiplier = excluded.multiplier, quantity = excluded.quantity,
        overnight_quantity = excluded.overnight_quantity, overnight_value = excluded.overnight_value,
        buy_quantity = excluded.buy_quantity, buy_value = excluded.buy_value, sell_quantity = excluded.sell_quantity,
        sell_value = excluded.sell_value, realised = excluded.realised, lots = excluded.lots, version = excluded.version
), holdings AS (
    INSERT INTO venue.holdings (account_id, exchange, symbol, quantity, lots, version)
    SELECT * FROM {_HOLDINGS}
    ON CONFLICT (account_id, exchange, symbol) DO UPDATE SET
        quantity = excluded.quantity, lots = excluded.lots, version = excluded.version
), trades AS (
    INSERT INTO venue.trades (
        trade_id, order_id, account_id, exchange, symbol, product, transaction_type, quantity, price, basis, filled_at
    )
    SELECT * FROM {_TRADES}
)
UPDATE venue.accounts a SET realised = i.realised, version = i.version, day = i.day
FROM {_ACCOUNTS} AS i (account_id, realised, version, day)
WHERE a.account_id = i.account_id
"""

BEHIND_ACCOUNTS: Final = "SELECT account_id FROM venue.accounts WHERE day < $1 ORDER BY account_id LIMIT $2"
MARGIN_RATES: Final = """
SELECT exposure, name, product, side, percent::text AS percent, effective_from::text AS effective_from,
       coalesce(effective_to::text, '') AS effective_to, source
FROM venue.margin_rates
"""
SEED_MARGIN_RATES: Final = f"""
INSERT INTO venue.margin_rates (exposure, name, product, side, percent, effective_from, effective_to, source)
SELECT * FROM {_unnest(1, "text text text text numeric date date text")}
ON CONFLICT (exposure, name, product, side, effective_from) DO NOTHING
"""
