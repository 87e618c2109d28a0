"""The venue's SQL. A round is read with one statement, whatever it holds, and written with the record's own."""

from typing import Final

from vyomo_ledger.writing import FEW_ACCOUNTS, FIRST_FREE_PARAMETER

SANDBOX_CAPITAL: Final = 1_000_000
"""Rupees a sandbox account begins with where its owner named no sum."""

OPEN_ACCOUNTS: Final = f"""
INSERT INTO venue.accounts (account_id, user_id, capital, version, day, is_sandbox)
SELECT id, user_id, CASE WHEN unlimited THEN NULL WHEN broker = 'paper' THEN initial_capital
                         ELSE coalesce(initial_capital, {SANDBOX_CAPITAL}) END,
       CASE WHEN broker = 'paper' THEN funds_version ELSE 0 END, $2, broker <> 'paper'
FROM accounts.broker_accounts WHERE id = ANY($1::bigint[]) AND (broker = 'paper' OR environment = 'sandbox')
ON CONFLICT (account_id) DO NOTHING
"""
# Everything is read as it was when the statement began, but a row is locked as it is after the wait for its last holder. Every
# round raises the version, so where the locked version is the one that was seen, nothing else has changed meanwhile either.
LOAD: Final = """
WITH locked AS MATERIALIZED (
    SELECT account_id, user_id, capital, realised, version, day, is_sandbox FROM venue.accounts
    WHERE account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
)
SELECT 'account' AS kind, l.account_id, l.user_id, l.capital, l.day, l.realised, l.version,
       l.version = (SELECT version FROM venue.accounts seen WHERE seen.account_id = l.account_id) AS is_current,
       NULL AS exchange, NULL AS symbol, NULL AS product, NULL AS transaction_type, NULL::integer AS multiplier,
       NULL::bigint AS quantity, NULL::bigint AS overnight_quantity, NULL::numeric AS overnight_value,
       NULL::bigint AS buy_quantity, NULL::numeric AS buy_value, NULL::bigint AS sell_quantity, NULL::numeric AS sell_value,
       NULL::jsonb AS lots, NULL::numeric AS value, l.is_sandbox
FROM locked l
UNION ALL
SELECT 'position', account_id, NULL, NULL, NULL, realised, version, NULL, exchange, symbol, product, NULL, multiplier,
       quantity, overnight_quantity, overnight_value, buy_quantity, buy_value, sell_quantity, sell_value, lots, NULL, NULL
FROM venue.positions
WHERE account_id = ANY($1::bigint[])
  AND (quantity <> 0 OR buy_quantity <> 0 OR sell_quantity <> 0
       OR (exchange, symbol) IN (SELECT * FROM unnest($2::text[], $3::text[])))
UNION ALL
SELECT 'holding', account_id, NULL, NULL, NULL, NULL, version, NULL, exchange, symbol, NULL, NULL, NULL,
       quantity, NULL, NULL, NULL, NULL, NULL, NULL, lots, NULL, NULL
FROM venue.holdings WHERE account_id = ANY($1::bigint[])
UNION ALL
SELECT 'orders', account_id, NULL, NULL, NULL, NULL, NULL, NULL, exchange, symbol, product, transaction_type, NULL,
       sum(quantity - filled_quantity), NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       sum((quantity - filled_quantity) * coalesce(protection_price, price)), NULL
FROM venue.paper_orders
WHERE account_id = ANY($1::bigint[]) AND state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING')
GROUP BY account_id, exchange, symbol, product, transaction_type
"""
"""Accounts, positions, holdings and the sums of open orders in one round trip: a lonely order's latency is counted in round trips."""

PEEK: Final = LOAD.replace(" FOR UPDATE", "")
"""The same without a lock, for whoever only looks: one statement sees one moment."""

ORDER_COLUMNS: Final = """
order_id, account_id, user_id, symbol, exchange, product, transaction_type, order_type, validity, quantity, price,
trigger_price, protection_price, triggered_at, filled_quantity, filled_value, trades, state, reason, ahead, displayed,
created_at, updated_at, expires_at"""
ORDERS: Final = f"SELECT {ORDER_COLUMNS} FROM venue.paper_orders WHERE order_id = ANY($1::text[])"
WORKING_ORDERS: Final = f"""
SELECT {ORDER_COLUMNS} FROM venue.paper_orders
WHERE state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING') ORDER BY id
"""


def _written(table: str, columns: str, parameter: int, when_known: str) -> str:
    """Insert a JSON array of objects; `columns` are "name type, ...", `when_known` says what becomes of a row that exists."""
    names = ", ".join(column.split()[0] for column in columns.split(","))
    return f"""
    INSERT INTO venue.{table} ({names}) SELECT * FROM json_to_recordset(${parameter}::json) AS i ({columns}) {when_known}"""


_SAVE_ORDERS: Final = _written(
    "paper_orders",
    """order_id text, account_id bigint, user_id text, symbol text, exchange text, product text, transaction_type text,
    order_type text, validity text, quantity integer, price numeric, trigger_price numeric, protection_price numeric,
    triggered_at timestamptz, filled_quantity integer, filled_value numeric, trades integer, state text, reason text,
    ahead bigint, displayed bigint, created_at timestamptz, updated_at timestamptz, expires_at timestamptz,
    average_price numeric""",
    FIRST_FREE_PARAMETER,
    """ON CONFLICT (order_id) DO UPDATE SET
        order_type = excluded.order_type, validity = excluded.validity, quantity = excluded.quantity,
        price = excluded.price, trigger_price = excluded.trigger_price, protection_price = excluded.protection_price,
        triggered_at = excluded.triggered_at, filled_quantity = excluded.filled_quantity,
        filled_value = excluded.filled_value, average_price = excluded.average_price, trades = excluded.trades,
        state = excluded.state, reason = excluded.reason, ahead = excluded.ahead, displayed = excluded.displayed,
        updated_at = excluded.updated_at, expires_at = excluded.expires_at""",
)
_SAVE_POSITIONS: Final = _written(
    "positions",
    """account_id bigint, exchange text, symbol text, product text, multiplier integer, quantity bigint,
    overnight_quantity bigint, overnight_value numeric, buy_quantity bigint, buy_value numeric, sell_quantity bigint,
    sell_value numeric, realised numeric, lots jsonb, version bigint""",
    FIRST_FREE_PARAMETER + 1,
    """ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET
        multiplier = excluded.multiplier, quantity = excluded.quantity,
        overnight_quantity = excluded.overnight_quantity, overnight_value = excluded.overnight_value,
        buy_quantity = excluded.buy_quantity, buy_value = excluded.buy_value, sell_quantity = excluded.sell_quantity,
        sell_value = excluded.sell_value, realised = excluded.realised, lots = excluded.lots, version = excluded.version""",
)
_SAVE_HOLDINGS: Final = _written(
    "holdings",
    "account_id bigint, exchange text, symbol text, quantity bigint, lots jsonb, version bigint",
    FIRST_FREE_PARAMETER + 2,
    """ON CONFLICT (account_id, exchange, symbol) DO UPDATE SET
        quantity = excluded.quantity, lots = excluded.lots, version = excluded.version""",
)
_SAVE_TRADES: Final = _written(
    "trades",
    """trade_id text, order_id text, account_id bigint, exchange text, symbol text, product text, transaction_type text,
    quantity integer, price numeric, basis text, filled_at timestamptz""",
    FIRST_FREE_PARAMETER + 3,
    "",
)

# JSON documents: encoding a row's values one by one into arrays costs the worker three times as much.
SAVE: Final = f"""
, venue_orders AS ({_SAVE_ORDERS}
), venue_positions AS ({_SAVE_POSITIONS}
), venue_holdings AS ({_SAVE_HOLDINGS}
), venue_trades AS ({_SAVE_TRADES}
), venue_accounts AS (
    UPDATE venue.accounts a SET realised = i.realised, version = i.version, day = i.day
    FROM json_to_recordset(${FIRST_FREE_PARAMETER + 4}::json) AS i (
        account_id bigint, realised numeric, version bigint, day date
    )
    WHERE a.account_id = i.account_id AND {FEW_ACCOUNTS}
)
"""
"""Written along with the record: orders, positions, holdings, trades and accounts, in one statement with what they became."""

BEHIND_ACCOUNTS: Final = "SELECT account_id FROM venue.accounts WHERE day < $1 ORDER BY account_id LIMIT $2"
MARGIN_RATES: Final = """
SELECT exposure, name, product, side, percent::text AS percent, effective_from::text AS effective_from,
       coalesce(effective_to::text, '') AS effective_to, source
FROM venue.margin_rates
"""
SEED_MARGIN_RATES: Final = """
INSERT INTO venue.margin_rates (exposure, name, product, side, percent, effective_from, effective_to, source)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::date[], $7::date[], $8::text[]
)
ON CONFLICT (exposure, name, product, side, effective_from) DO NOTHING
"""
