"""Logins at a broker that a browser was sent away for."""

from alembic import op

revision = "0002_login_states"
down_revision = "0001_identity"

STATEMENTS = (
    """
    CREATE TABLE identity.login_states (
        -- SHA-256 of what the browser brings back: who reads the table can finish nobody's login.
        digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
        account_id bigint NOT NULL,
        broker     text NOT NULL,
        client_id  text NOT NULL,
        user_id    text NOT NULL,
        key_id     text NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "GRANT SELECT, INSERT, DELETE ON identity.login_states TO vyomo_gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE identity.login_states")
