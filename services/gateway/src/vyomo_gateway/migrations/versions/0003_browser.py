"""Browsers that are signed in, and the links that let them in."""

from alembic import op

revision = "0003_browser"
down_revision = "0002_login_states"

STATEMENTS = (
    # Digests (SHA-256) of random texts of 256 bits: who reads these tables can sign in as nobody.
    """
    CREATE TABLE identity.sign_in_links (
        digest     bytea PRIMARY KEY CHECK (length(digest) = 32),
        user_id    text NOT NULL REFERENCES identity.users,
        expires_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE identity.browser_sessions (
        digest       bytea PRIMARY KEY CHECK (length(digest) = 32),
        session_id   text NOT NULL UNIQUE,
        user_id      text NOT NULL REFERENCES identity.users,
        address      text,
        user_agent   text,
        created_at   timestamptz NOT NULL,
        last_seen_at timestamptz NOT NULL,
        expires_at   timestamptz NOT NULL,
        ended_at     timestamptz
    )
    """,
    "CREATE INDEX browser_sessions_of_user ON identity.browser_sessions (user_id) WHERE ended_at IS NULL",
    "GRANT SELECT, INSERT, DELETE ON identity.sign_in_links TO vyomo_gateway",
    "GRANT SELECT, INSERT, UPDATE ON identity.browser_sessions TO vyomo_gateway",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE identity.browser_sessions, identity.sign_in_links")
