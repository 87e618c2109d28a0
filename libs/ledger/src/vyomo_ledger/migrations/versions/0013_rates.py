"""Brokers count orders by the minute, the hour and the day as well."""

from alembic import op

revision = "0013_rates"
down_revision = "0012_brokers"

STATEMENTS = (
    # ACCEPT: orders accepted in the minute, the hour and the Indian day of `rate_second`.
    """
    ALTER TABLE ledger.lanes
        ADD COLUMN minute_used integer NOT NULL DEFAULT 0,
        ADD COLUMN hour_used integer NOT NULL DEFAULT 0,
        ADD COLUMN day_used integer NOT NULL DEFAULT 0
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE ledger.lanes DROP COLUMN minute_used, DROP COLUMN hour_used, DROP COLUMN day_used"
    )
