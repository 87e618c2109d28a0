"""What happened to accounts may be read by their owners."""

from alembic import op

revision = "0016_audit_page"
down_revision = "0015_egress"

STATEMENTS = (
    "GRANT SELECT ON ledger.account_events TO vyomo_gateway",
    "CREATE INDEX account_events_of_user ON ledger.account_events (user_id, sequence)",
    """
    CREATE POLICY of_user ON ledger.account_events FOR SELECT TO vyomo_gateway
    USING (user_id = current_setting('vyomo.user_id', true))
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP POLICY of_user ON ledger.account_events")
    op.execute("DROP INDEX ledger.account_events_of_user")
    op.execute("REVOKE SELECT ON ledger.account_events FROM vyomo_gateway")
