"""What signing in at a broker leaves: all its tokens, sealed, and since when the session is open."""

from alembic import op

revision = "0012_brokers"
down_revision = "0011_door_logins"

STATEMENTS = (
    # Like the access token: sealed to the workers' key, out of the gateway's sight.
    "ALTER TABLE accounts.broker_accounts ADD COLUMN refresh_token text, ADD COLUMN feed_token text",
    "GRANT UPDATE (refresh_token, feed_token) ON accounts.broker_accounts TO vyomo_worker",
    # A refusal is of the session that its call was made with: one from before this moment says nothing of this session.
    "ALTER TABLE accounts.broker_sessions ADD COLUMN opened_at timestamptz",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE accounts.broker_sessions DROP COLUMN opened_at")
    op.execute("ALTER TABLE accounts.broker_accounts DROP COLUMN refresh_token, DROP COLUMN feed_token")
