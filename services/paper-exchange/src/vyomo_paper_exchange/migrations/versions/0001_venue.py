"""The paper exchange's books: accounts, orders, positions with their lots, holdings, trades and dated margin rates.

Only workers may touch the schema; what others may know of it they read in the record.
"""

from alembic import op

revision = "0001_venue"
down_revision = None

TABLES = """
CREATE SCHEMA venue;

CREATE TABLE venue.accounts (
    account_id  bigint PRIMARY KEY,
    user_id     text NOT NULL,
    -- NULL is unlimited: nothing is refused for money.
    capital     numeric(20,4),
    realised    numeric(24,4) NOT NULL DEFAULT 0,
    version     bigint NOT NULL,
    -- The trading day the positions belong to.
    day         date NOT NULL
);

CREATE TABLE venue.paper_orders (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id          text NOT NULL UNIQUE,
    account_id        bigint NOT NULL,
    user_id           text NOT NULL,
    symbol            text NOT NULL,
    exchange          text NOT NULL,
    product           text NOT NULL,
    transaction_type  text NOT NULL,
    order_type        text NOT NULL,
    validity          text NOT NULL,
    quantity          integer NOT NULL CHECK (quantity > 0),
    price             numeric(18,4) NOT NULL,
    trigger_price     numeric(18,4),
    protection_price  numeric(18,4),
    triggered_at      timestamptz,
    filled_quantity   integer NOT NULL CHECK (filled_quantity BETWEEN 0 AND quantity),
    filled_value      numeric(24,4) NOT NULL,
    average_price     numeric(18,4) NOT NULL,
    trades            integer NOT NULL,
    status            text NOT NULL GENERATED ALWAYS AS (
        CASE state WHEN 'FILLED' THEN 'COMPLETE' WHEN 'CANCELLED' THEN 'CANCELLED' WHEN 'EXPIRED' THEN 'CANCELLED'
                   WHEN 'REJECTED' THEN 'REJECTED' ELSE 'PENDING' END
    ) STORED,
    state             text NOT NULL,
    reason            text,
    -- The estimated place in the queue: units before it and the size of its level when last written.
    ahead             bigint,
    displayed         bigint NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL
);
CREATE INDEX paper_orders_working ON venue.paper_orders (account_id)
    WHERE state IN ('OPEN', 'PARTIALLY_FILLED', 'TRIGGER_PENDING');

CREATE TABLE venue.positions (
    account_id          bigint NOT NULL,
    exchange            text NOT NULL,
    symbol              text NOT NULL,
    product             text NOT NULL,
    multiplier          integer NOT NULL,
    quantity            bigint NOT NULL,
    overnight_quantity  bigint NOT NULL,
    overnight_value     numeric(24,4) NOT NULL,
    buy_quantity        bigint NOT NULL,
    buy_value           numeric(24,4) NOT NULL,
    sell_quantity       bigint NOT NULL,
    sell_value          numeric(24,4) NOT NULL,
    realised            numeric(24,4) NOT NULL,
    -- Open lots, oldest first: [[signed quantity, "cost"], ...].
    lots                jsonb NOT NULL,
    version             bigint NOT NULL,
    PRIMARY KEY (account_id, exchange, symbol, product)
);

CREATE TABLE venue.holdings (
    account_id  bigint NOT NULL,
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    quantity    bigint NOT NULL CHECK (quantity >= 0),
    lots        jsonb NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (account_id, exchange, symbol)
);

CREATE TABLE venue.trades (
    trade_id          text PRIMARY KEY,
    order_id          text NOT NULL,
    account_id        bigint NOT NULL,
    exchange          text NOT NULL,
    symbol            text NOT NULL,
    product           text NOT NULL,
    transaction_type  text NOT NULL,
    quantity          integer NOT NULL,
    price             numeric(18,4) NOT NULL,
    basis             text NOT NULL,
    filled_at         timestamptz NOT NULL
);
CREATE INDEX trades_of_account ON venue.trades (account_id, filled_at);

-- Dated data: a row is closed by its last day and followed by a new one, never edited.
CREATE TABLE venue.margin_rates (
    exposure        text NOT NULL,
    name            text NOT NULL,
    product         text NOT NULL,
    side            text NOT NULL,
    percent         numeric(9,4) NOT NULL,
    effective_from  date NOT NULL,
    effective_to    date,
    source          text NOT NULL,
    PRIMARY KEY (exposure, name, product, side, effective_from)
);

GRANT USAGE ON SCHEMA venue TO vyomo_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA venue TO vyomo_worker;
"""


def upgrade() -> None:
    for statement in TABLES.strip().split(";\n"):  # asyncpg prepares, and prepares one statement at a time
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP SCHEMA venue CASCADE")
