"""The last orders sent to each broker, for its breaker. Paper orders are never sent: the index costs them nothing."""

from alembic import op

revision = "0007_sends"
down_revision = "0006_dead_letters"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX broker_orders_sent ON ledger.broker_orders (broker, send_deadline)"
        " WHERE broker <> 'paper' AND send_deadline IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ledger.broker_orders_sent")
