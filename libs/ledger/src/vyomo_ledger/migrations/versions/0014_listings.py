"""What each broker lists for its live accounts, as its instrument master says it."""

from alembic import op

revision = "0014_listings"
down_revision = "0013_rates"

STATEMENTS = (
    """
    CREATE TABLE market.listings (
        broker          text NOT NULL,
        exchange        text NOT NULL,
        symbol          text NOT NULL,
        -- The broker's own name of it, and the number that its feed and, at some, its orders want.
        trading_symbol  text NOT NULL,
        token           text NOT NULL,
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
        reference_price numeric(18,4) NOT NULL DEFAULT 0,
        band_percent    numeric(9,4) NOT NULL DEFAULT 0,
        PRIMARY KEY (broker, exchange, symbol)
    )
    """,
    """
    CREATE INDEX listings_symbol_prefix ON market.listings (broker, symbol text_pattern_ops)
    """,
    """
    CREATE INDEX listings_trading_symbol ON market.listings (broker, exchange, trading_symbol)
    """,
    """
    -- One row a broker whose master was looked at.
    CREATE TABLE market.masters (
        broker      text PRIMARY KEY,
        -- When the list that is in use was loaded; null until the first.
        loaded_at   timestamptz,
        listed      integer NOT NULL DEFAULT 0,
        skipped     integer NOT NULL DEFAULT 0,
        -- Why the last one was not taken; null when it was.
        problem     text,
        looked_at   timestamptz NOT NULL
    )
    """,
    """
    GRANT SELECT ON market.listings, market.masters TO vyomo_gateway, vyomo_router, vyomo_worker, vyomo_sync
    """,
    """
    GRANT INSERT, UPDATE, DELETE ON market.listings, market.masters TO vyomo_worker
    """,
    # An embedded or managed server may lack the extension; search then works by prefix alone.
    """
    DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm') THEN
            CREATE INDEX listings_trigrams ON market.listings USING gin ((symbol || ' ' || name) market.gin_trgm_ops);
        END IF;
    END $$
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE market.listings, market.masters")
