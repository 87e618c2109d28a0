"""The shared record: instruments, accounts, orders and their events.

Who may do what is settled here by grants: the gateway reads what row-level security leaves it, the router and the workers
write, order events are append-only for everyone.
"""

from alembic import op

revision = "0001_record"
down_revision = None

MARKET = """
CREATE SCHEMA market;

CREATE TABLE market.instruments (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange        text NOT NULL,
    symbol          text NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('INDEX', 'EQUITY', 'FUTURE', 'OPTION')),
    underlying      text,
    expiry          date,
    strike          numeric(18,4),
    option_type     text CHECK (option_type IN ('CE', 'PE')),
    lot_size        integer NOT NULL CHECK (lot_size > 0),
    tick_size       numeric(18,4) NOT NULL CHECK (tick_size > 0),
    freeze_quantity integer,
    multiplier      integer NOT NULL DEFAULT 1,
    reference_price numeric(18,4) NOT NULL,
    band_percent    numeric(9,4) NOT NULL DEFAULT 0,
    source          text NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (exchange, symbol)
);
-- The search index: symbols are found by prefix at once; pg_trgm, where the server has it, finds what lies inside a word.
CREATE INDEX instruments_symbol_prefix ON market.instruments (symbol text_pattern_ops);
CREATE INDEX instruments_contracts ON market.instruments (underlying, expiry) WHERE underlying IS NOT NULL;
"""

ACCOUNTS = """
CREATE SCHEMA accounts;

CREATE TABLE accounts.broker_accounts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id          text NOT NULL,
    broker           text NOT NULL CHECK (broker IN ('paper', 'zerodha', 'angel')),
    client_id        text NOT NULL,
    environment      text NOT NULL DEFAULT 'live' CHECK (environment IN ('live', 'sandbox')),
    -- Secrets are sealed to the workers' key; the gateway can neither read the columns nor open them.
    api_key          text,
    api_secret       text,
    password         text,
    totp_secret      text,
    access_token     text,
    is_active        boolean NOT NULL DEFAULT true,
    unlimited        boolean NOT NULL DEFAULT false,
    initial_capital  numeric(20,4),
    balance          numeric(20,4),
    margin_used      numeric(20,4) NOT NULL DEFAULT 0,
    margin_available numeric(20,4),
    funds_version    bigint NOT NULL DEFAULT 0,
    last_synced      timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, broker, client_id)
);

CREATE TABLE accounts.positions (
    account_id         bigint NOT NULL,
    user_id            text NOT NULL,
    broker             text NOT NULL,
    exchange           text NOT NULL,
    symbol             text NOT NULL,
    product            text NOT NULL,
    quantity           bigint NOT NULL,
    overnight_quantity bigint NOT NULL DEFAULT 0,
    multiplier         integer NOT NULL DEFAULT 1,
    average_price      numeric(18,4) NOT NULL,
    buy_quantity       bigint NOT NULL DEFAULT 0,
    buy_value          numeric(24,4) NOT NULL DEFAULT 0,
    sell_quantity      bigint NOT NULL DEFAULT 0,
    sell_value         numeric(24,4) NOT NULL DEFAULT 0,
    realised           numeric(24,4) NOT NULL DEFAULT 0,
    last_price         numeric(18,4) NOT NULL DEFAULT 0,
    version            bigint NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, exchange, symbol, product)
);

CREATE TABLE accounts.holdings (
    account_id    bigint NOT NULL,
    user_id       text NOT NULL,
    exchange      text NOT NULL,
    symbol        text NOT NULL,
    quantity      bigint NOT NULL,
    average_price numeric(18,4) NOT NULL,
    last_price    numeric(18,4) NOT NULL DEFAULT 0,
    version       bigint NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (account_id, exchange, symbol)
);
"""

LEDGER = """
CREATE SCHEMA ledger;

-- One row per account and lane. ACCEPT numbers the orders in the order their acceptance commits and says whose account it is and
-- whether it takes orders; CLAIM serialises those who execute. Two rows, so that accepting never waits for executing. Always
-- locked in account order, so two writers cannot deadlock.
CREATE TABLE ledger.lanes (
    account_id    bigint NOT NULL,
    lane          text NOT NULL CHECK (lane IN ('ACCEPT', 'CLAIM')),
    user_id       text NOT NULL,
    broker        text NOT NULL,
    accepting     boolean NOT NULL DEFAULT true,
    next_sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (account_id, lane)
) WITH (fillfactor = 50);

CREATE TABLE ledger.broker_orders (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id         bigint NOT NULL,
    order_id           text NOT NULL,
    user_id            text NOT NULL,
    broker             text NOT NULL,
    symbol             text NOT NULL,
    exchange           text NOT NULL,
    transaction_type   text NOT NULL CHECK (transaction_type IN ('BUY', 'SELL')),
    order_type         text NOT NULL CHECK (order_type IN ('MARKET', 'LIMIT', 'SL', 'SL-M')),
    quantity           integer NOT NULL CHECK (quantity > 0),
    price              numeric(18,4) NOT NULL DEFAULT 0,
    trigger_price      numeric(18,4),
    filled_quantity    integer NOT NULL DEFAULT 0 CHECK (filled_quantity BETWEEN 0 AND quantity),
    average_price      numeric(18,4) NOT NULL DEFAULT 0,
    status             text NOT NULL GENERATED ALWAYS AS (
        CASE state WHEN 'FILLED' THEN 'COMPLETE'
                   WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'EXPIRED' THEN 'CANCELLED'
                   WHEN 'DENIED' THEN 'REJECTED' WHEN 'REJECTED' THEN 'REJECTED'
                   ELSE 'PENDING' END) STORED,
    state              text NOT NULL,
    product            text NOT NULL,
    validity           text NOT NULL,
    tag                text,
    broker_tag         text NOT NULL,
    broker_order_id    text,
    strategy_id        text,
    parent_order_id    text,
    group_id           text,
    origin             text NOT NULL DEFAULT 'vyomo' CHECK (origin IN ('vyomo', 'external', 'reconciliation')),
    reason_code        text,
    reason             text,
    -- A modification or cancellation that was asked for and not yet answered; PREPARED until a worker claims it.
    pending_action     text CHECK (pending_action IN ('MODIFY', 'CANCEL')),
    pending_stage      text CHECK (pending_stage IN ('PREPARED', 'SUBMITTING')),
    pending_parameters jsonb,
    idempotency_key    text NOT NULL,
    body_hash          text NOT NULL,
    sequence           bigint NOT NULL,
    version            integer NOT NULL,
    send_deadline      timestamptz,
    expires_at         timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (account_id, order_id),
    UNIQUE (account_id, idempotency_key),
    UNIQUE (account_id, sequence)
);
-- What workers look for, in one index whose condition is the one they ask with. It holds a handful of rows, but every order passes
-- through it; a plain index scan marks what is dead, a bitmap scan (which two indexes joined by OR would need) never does.
CREATE INDEX broker_orders_waiting ON ledger.broker_orders (account_id, id) WHERE state = 'NEW' OR pending_stage = 'PREPARED';
CREATE INDEX broker_orders_working ON ledger.broker_orders (account_id)
    WHERE state IN ('SUBMITTING', 'UNCONFIRMED', 'ACKNOWLEDGED', 'TRIGGER_PENDING', 'OPEN', 'PARTIALLY_FILLED');
-- Each order is changed once or twice soon after it was made: vacuum early, so that the small indexes stay small.
ALTER TABLE ledger.broker_orders SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ledger.order_events (
    order_id    text NOT NULL,
    version     integer NOT NULL,
    account_id  bigint NOT NULL,
    user_id     text NOT NULL,
    -- Transaction number and place within it. Readers stay below the oldest open transaction, so an event that commits late
    -- is never skipped (docs/decisions/0004).
    sequence    bigint NOT NULL,
    type        text NOT NULL,
    body        jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, version)
);
CREATE INDEX order_events_of_user ON ledger.order_events (user_id, sequence);

CREATE TABLE ledger.fills (
    id               bigint GENERATED ALWAYS AS IDENTITY,
    account_id       bigint NOT NULL,
    trade_id         text NOT NULL,
    order_id         text NOT NULL,
    user_id          text NOT NULL,
    exchange         text NOT NULL,
    symbol           text NOT NULL,
    product          text NOT NULL,
    transaction_type text NOT NULL,
    quantity         integer NOT NULL CHECK (quantity > 0),
    price            numeric(18,4) NOT NULL,
    basis            text NOT NULL,
    filled_at        timestamptz NOT NULL,
    PRIMARY KEY (account_id, trade_id)
);
CREATE INDEX fills_of_account ON ledger.fills (account_id, id);

-- Pointers to what a commit changed in one partition. The committer publishes from memory and deletes the row when the bus has
-- stored it; the relay does the same for rows left behind, reading the things themselves as they now are.
CREATE TABLE ledger.outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    broker        text NOT NULL,
    partition     integer NOT NULL,
    order_ids     text[] NOT NULL DEFAULT '{}',
    versions      integer[] NOT NULL DEFAULT '{}',
    position_keys text[] NOT NULL DEFAULT '{}',
    holding_keys  text[] NOT NULL DEFAULT '{}',
    account_ids   bigint[] NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ledger.leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    expires_at timestamptz NOT NULL
);
"""

GRANTS = """
GRANT USAGE ON SCHEMA market, accounts, ledger TO vyomo_gateway, vyomo_router, vyomo_worker, vyomo_sync;

GRANT SELECT ON market.instruments TO vyomo_gateway, vyomo_router, vyomo_worker, vyomo_sync;
GRANT INSERT, UPDATE, DELETE ON market.instruments TO vyomo_worker;

GRANT SELECT (id, user_id, broker, client_id, environment, is_active, unlimited, initial_capital, balance, margin_used,
              margin_available, funds_version, last_synced, created_at, updated_at)
    ON accounts.broker_accounts TO vyomo_gateway, vyomo_sync;
GRANT SELECT, INSERT ON accounts.broker_accounts TO vyomo_router;
GRANT UPDATE (is_active, api_key, api_secret, password, totp_secret, updated_at) ON accounts.broker_accounts TO vyomo_router;
GRANT SELECT ON accounts.broker_accounts TO vyomo_worker;
GRANT UPDATE (access_token, balance, margin_used, margin_available, funds_version, last_synced, updated_at)
    ON accounts.broker_accounts TO vyomo_worker;
GRANT SELECT ON accounts.positions, accounts.holdings TO vyomo_gateway, vyomo_router, vyomo_sync;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts.positions, accounts.holdings TO vyomo_worker;

GRANT SELECT ON ledger.broker_orders, ledger.order_events, ledger.fills TO vyomo_gateway, vyomo_sync;
GRANT SELECT, INSERT, UPDATE ON ledger.lanes, ledger.broker_orders TO vyomo_router, vyomo_worker;
GRANT SELECT, INSERT ON ledger.order_events, ledger.fills TO vyomo_router, vyomo_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.outbox, ledger.leases TO vyomo_router, vyomo_worker;
"""

# The gateway reads for a person: it sees that person's rows and no others, whatever its own queries forget. The roles of the
# order path and of sync's consumer serve many users in one transaction; each row they accept is joined to its account's user.
_ROW_SECURED = (
    "accounts.broker_accounts",
    "accounts.positions",
    "accounts.holdings",
    "ledger.broker_orders",
    "ledger.order_events",
    "ledger.fills",
)


def upgrade() -> None:
    for script in (MARKET, ACCOUNTS, LEDGER, GRANTS):
        for statement in script.strip().split(
            ";\n"
        ):  # asyncpg prepares, and prepares one statement at a time
            op.execute(statement)
    for table in _ROW_SECURED:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_user ON {table} FOR SELECT TO vyomo_gateway "
            "USING (user_id = current_setting('vyomo.user_id', true))"
        )
        op.execute(
            f"CREATE POLICY of_services ON {table} TO vyomo_router, vyomo_worker, vyomo_sync "
            "USING (true) WITH CHECK (true)"
        )
    # An embedded or managed server may lack the extension; search then works by prefix alone.
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
                CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA market;
                CREATE INDEX instruments_trigrams ON market.instruments
                    USING gin ((symbol || ' ' || name) market.gin_trgm_ops);
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    op.execute("DROP SCHEMA ledger, accounts, market CASCADE")
