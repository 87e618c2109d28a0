"""Since April 2026 brokers take orders of programs from registered addresses alone: each account may have a way of its own there."""

from alembic import op

revision = "0015_egress"
down_revision = "0014_listings"

STATEMENTS = (
    # The relay's password is sealed like the account's credentials, out of the gateway's sight.
    """
    ALTER TABLE accounts.broker_accounts
        ADD COLUMN egress_source text,
        ADD COLUMN egress_relay text,
        ADD COLUMN egress_relay_user text,
        ADD COLUMN egress_relay_password text,
        ADD CHECK (egress_source IS NULL OR egress_relay IS NULL)
    """,
    "GRANT SELECT (egress_source, egress_relay, egress_relay_user) ON accounts.broker_accounts TO vyomo_gateway, vyomo_sync",
    """
    GRANT UPDATE (egress_source, egress_relay, egress_relay_user, egress_relay_password) ON accounts.broker_accounts
    TO vyomo_router
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE accounts.broker_accounts DROP COLUMN egress_source, DROP COLUMN egress_relay,"
        " DROP COLUMN egress_relay_user, DROP COLUMN egress_relay_password"
    )
