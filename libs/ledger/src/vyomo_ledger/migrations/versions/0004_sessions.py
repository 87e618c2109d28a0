"""What working with a broker needs: sessions, alerts, finding orders by the broker's id, real trades for derived fills."""

from alembic import op

revision = "0004_sessions"
down_revision = "0003_controls"

STATEMENTS = (
    """
    CREATE TABLE accounts.broker_sessions (
        account_id  bigint PRIMARY KEY,
        user_id     text NOT NULL,
        broker      text NOT NULL,
        state       text NOT NULL CHECK (state IN ('NO_SESSION', 'ACTIVE', 'EXPIRING', 'EXPIRED')),
        valid_until timestamptz,
        reason      text,
        updated_at  timestamptz NOT NULL
    )
    """,
    "GRANT SELECT ON accounts.broker_sessions TO vyomo_gateway, vyomo_router, vyomo_sync",
    "GRANT SELECT, INSERT, UPDATE ON accounts.broker_sessions TO vyomo_worker",
    # Until when claims of the account may send; on the row that every claim locks, so that asking costs nothing and an end of the
    # session that has committed is seen by the next claim. Paper has no sessions.
    "ALTER TABLE ledger.lanes ADD COLUMN session_until timestamptz",
    """
    CREATE TABLE ledger.alerts (
        id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        account_id bigint NOT NULL,
        user_id    text NOT NULL,
        broker     text NOT NULL,
        code       text NOT NULL,
        subject    text NOT NULL,
        message    text NOT NULL,
        raised_at  timestamptz NOT NULL,
        cleared_at timestamptz
    )
    """,
    # One alert stands for a cause until it is cleared, however often the cause is seen.
    """
    CREATE UNIQUE INDEX alerts_standing ON ledger.alerts (account_id, code, subject) WHERE cleared_at IS NULL
    """,
    "GRANT SELECT ON ledger.alerts TO vyomo_gateway, vyomo_sync",
    "GRANT SELECT, INSERT ON ledger.alerts TO vyomo_router, vyomo_worker",
    "GRANT UPDATE (cleared_at) ON ledger.alerts TO vyomo_router, vyomo_worker",
    # Paper orders are never looked for at a broker: this index costs them nothing.
    """
    CREATE INDEX broker_orders_by_broker_id ON ledger.broker_orders (account_id, broker_order_id)
        WHERE broker <> 'paper' AND broker_order_id IS NOT NULL
    """,
    """
    CREATE INDEX fills_from_books ON ledger.fills (account_id, order_id) WHERE basis IN ('derived', 'trade_book')
    """,
    """
    CREATE INDEX fills_derived ON ledger.fills (account_id, order_id) WHERE basis = 'derived'
    """,
    """
    CREATE INDEX fills_of_day ON ledger.fills (account_id, filled_at) WHERE basis IN ('derived', 'trade_book')
    """,
    # A derived fill is an inference; the broker's own trades replace it. Nothing else of the fills can be deleted.
    "GRANT DELETE ON ledger.fills TO vyomo_worker",
    """
    CREATE POLICY only_derived ON ledger.fills AS RESTRICTIVE FOR DELETE TO vyomo_worker USING (basis = 'derived')
    """,
)

_ROW_SECURED = ("ledger.alerts", "accounts.broker_sessions")


def upgrade() -> None:
    for statement in STATEMENTS:
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


def downgrade() -> None:
    op.execute("DROP POLICY only_derived ON ledger.fills")
    op.execute("REVOKE DELETE ON ledger.fills FROM vyomo_worker")
    op.execute(
        "DROP INDEX ledger.fills_of_day, ledger.fills_derived, ledger.fills_from_books, ledger.broker_orders_by_broker_id"
    )
    op.execute("DROP TABLE ledger.alerts, accounts.broker_sessions")
    op.execute("ALTER TABLE ledger.lanes DROP COLUMN session_until")
