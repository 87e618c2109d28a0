"""Trading sessions, the accounts linked to them, and the trades that mirror those accounts' positions."""

from alembic import op

revision = "0001_sessions"
down_revision = None

TABLES = (
    "CREATE SCHEMA sync",
    """
    -- The id is the auto-trader's own number: the first caller who names it owns it.
    CREATE TABLE sync.trading_sessions (
        id         bigint PRIMARY KEY,
        user_id    text NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    """
    CREATE INDEX trading_sessions_of_user ON sync.trading_sessions (user_id, id)
    """,
    """
    CREATE TABLE sync.session_accounts (
        session_id bigint NOT NULL REFERENCES sync.trading_sessions (id),
        account_id bigint NOT NULL,
        user_id    text NOT NULL,
        linked_at  timestamptz NOT NULL,
        synced_at  timestamptz,
        PRIMARY KEY (session_id, account_id)
    )
    """,
    """
    CREATE INDEX session_accounts_of_account ON sync.session_accounts (account_id)
    """,
    """
    -- How far each position has been followed. Flat positions stay: a late event must not re-open what was closed.
    CREATE TABLE sync.followed_positions (
        session_id      bigint NOT NULL,
        account_id      bigint NOT NULL,
        exchange        text NOT NULL,
        symbol          text NOT NULL,
        product         text NOT NULL,
        user_id         text NOT NULL,
        version         bigint NOT NULL,
        quantity        bigint NOT NULL,
        -- Shares of the open trade that are holdings by now: their position was cleared by delivery, not sold.
        delivered_quantity bigint NOT NULL DEFAULT 0 CHECK (delivered_quantity >= 0),
        -- A day's sums grow with every trade: no quantity here fits an integer for sure.
        bought_quantity bigint NOT NULL,
        bought_value    numeric(24,4) NOT NULL,
        sold_quantity   bigint NOT NULL,
        sold_value      numeric(24,4) NOT NULL,
        round_trips     integer NOT NULL,
        updated_at      timestamptz NOT NULL,
        PRIMARY KEY (session_id, account_id, exchange, symbol, product),
        FOREIGN KEY (session_id, account_id) REFERENCES sync.session_accounts (session_id, account_id)
    )
    """,
    """
    -- One row per round trip: flat to flat, or to the fill that turned long into short.
    CREATE TABLE sync.auto_trades (
        id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        session_id       bigint NOT NULL,
        account_id       bigint NOT NULL,
        user_id          text NOT NULL,
        broker           text NOT NULL,
        exchange         text NOT NULL,
        symbol           text NOT NULL,
        product          text NOT NULL,
        round_trip       integer NOT NULL CHECK (round_trip > 0),
        -- BUY is a long trade, SELL a short one.
        transaction_type text NOT NULL CHECK (transaction_type IN ('BUY', 'SELL')),
        status           text NOT NULL CHECK (status IN ('OPEN', 'CLOSED')),
        -- Units still open; 0 once closed.
        quantity         bigint NOT NULL GENERATED ALWAYS AS (entry_quantity - exit_quantity) STORED,
        multiplier       integer NOT NULL,
        entry_quantity   bigint NOT NULL CHECK (entry_quantity > 0),
        entry_value      numeric(24,4) NOT NULL,
        entry_price      numeric(18,4) NOT NULL,
        exit_quantity    bigint NOT NULL DEFAULT 0 CHECK (exit_quantity BETWEEN 0 AND entry_quantity),
        exit_value       numeric(24,4) NOT NULL DEFAULT 0,
        exit_price       numeric(18,4),
        realised         numeric(24,4) NOT NULL DEFAULT 0,
        -- Whether all of it traded, or a part that vanished without a trade had to be valued, and how.
        price_basis      text NOT NULL DEFAULT 'TRADED' CHECK (price_basis IN ('TRADED', 'LAST_PRICE', 'COST')),
        -- The watcher's, never written by the mirror.
        stop_loss        numeric(18,4),
        target           numeric(18,4),
        position_version bigint NOT NULL,
        opened_at        timestamptz NOT NULL,
        closed_at        timestamptz,
        created_at       timestamptz NOT NULL,
        updated_at       timestamptz NOT NULL,
        UNIQUE (session_id, account_id, exchange, symbol, product, round_trip),
        CHECK ((status = 'CLOSED') = (entry_quantity = exit_quantity)),
        CHECK ((status = 'CLOSED') = (closed_at IS NOT NULL)),
        FOREIGN KEY (session_id, account_id, exchange, symbol, product) REFERENCES sync.followed_positions
    )
    """,
    """
    CREATE UNIQUE INDEX auto_trades_open ON sync.auto_trades (session_id, account_id, exchange, symbol, product)
        WHERE status = 'OPEN'
    """,
    """
    CREATE INDEX auto_trades_of_user ON sync.auto_trades (user_id, id)
    """,
)

GRANTS = (
    "GRANT USAGE ON SCHEMA sync TO vyomo_sync, vyomo_gateway",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sync TO vyomo_sync",
    "GRANT SELECT ON ALL TABLES IN SCHEMA sync TO vyomo_gateway",
)

_ROW_SECURED = ("trading_sessions", "session_accounts", "followed_positions", "auto_trades")


def upgrade() -> None:
    for statement in (*TABLES, *GRANTS):
        op.execute(statement)
    for table in _ROW_SECURED:
        op.execute(f"ALTER TABLE sync.{table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE sync.{table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY of_user ON sync.{table} FOR SELECT TO vyomo_gateway "
            "USING (user_id = current_setting('vyomo.user_id', true))"
        )
        # One transaction of the consumer serves many users; each row it writes is joined to its account's user.
        op.execute(f"CREATE POLICY of_services ON sync.{table} TO vyomo_sync USING (true) WITH CHECK (true)")


def downgrade() -> None:
    op.execute("DROP SCHEMA sync CASCADE")
