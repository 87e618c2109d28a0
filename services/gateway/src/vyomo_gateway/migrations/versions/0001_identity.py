"""Users and API keys."""

from alembic import op

revision = "0001_identity"
down_revision = None

IDENTITY = """
CREATE SCHEMA identity;

CREATE TABLE identity.users (
    user_id    text PRIMARY KEY CHECK (user_id ~ '^[A-Za-z0-9_.@-]{1,64}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE identity.api_keys (
    key_id       text PRIMARY KEY CHECK (length(key_id) = 8),
    user_id      text NOT NULL REFERENCES identity.users,
    -- HMAC-SHA256 of the secret part under a pepper that is kept outside the database.
    digest       bytea NOT NULL CHECK (length(digest) = 32),
    scopes       text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'trade']),
    name         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_keys_of_user ON identity.api_keys (user_id);

GRANT USAGE ON SCHEMA identity TO vyomo_gateway;
GRANT SELECT, INSERT, UPDATE ON identity.users, identity.api_keys TO vyomo_gateway;
"""


def upgrade() -> None:
    for statement in IDENTITY.strip().split(";\n"):  # asyncpg prepares, and prepares one statement at a time
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP SCHEMA identity CASCADE")
