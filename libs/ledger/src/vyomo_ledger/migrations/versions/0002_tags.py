"""A broker tag is of one order, for ever.

Orders whose answer was lost are found in the broker's book by their tag: two with one tag would be taken for each other. Paper
orders never leave, so theirs need no index.
"""

from alembic import op

revision = "0002_tags"
down_revision = "0001_record"


def upgrade() -> None:
    op.execute(
        "CREATE UNIQUE INDEX broker_orders_tag ON ledger.broker_orders (broker_tag) WHERE broker <> 'paper'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ledger.broker_orders_tag")
