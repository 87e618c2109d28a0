"""What opens the paper exchange's front doors for a paper account: made on request, sealed to the workers' key."""

from alembic import op

revision = "0011_door_logins"
down_revision = "0008_drift"

STATEMENTS = (
    """
    CREATE TABLE accounts.door_logins (
        account_id   bigint NOT NULL,
        protocol     text NOT NULL CHECK (protocol IN ('kite', 'smartapi')),
        user_id      text NOT NULL,
        -- Which of the broker's rules the door keeps: those of 2026, or those before.
        profile      text NOT NULL CHECK (profile IN ('strict_2026', 'legacy')),
        -- Where the login page sends the browser back to; without one it shows the token.
        redirect_url text,
        api_key      text NOT NULL,
        api_secret   text,
        pin          text,
        totp_secret  text,
        updated_at   timestamptz NOT NULL,
        PRIMARY KEY (account_id, protocol)
    )
    """,
    "GRANT SELECT (account_id, protocol, user_id), INSERT, UPDATE ON accounts.door_logins TO vyomo_gateway",
    "GRANT SELECT ON accounts.door_logins TO vyomo_worker",
    "ALTER TABLE accounts.door_logins ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE accounts.door_logins FORCE ROW LEVEL SECURITY",
    """
    CREATE POLICY of_user ON accounts.door_logins TO vyomo_gateway
    USING (user_id = current_setting('vyomo.user_id', true)) WITH CHECK (user_id = current_setting('vyomo.user_id', true))
    """,
    "CREATE POLICY of_workers ON accounts.door_logins FOR SELECT TO vyomo_worker USING (true)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE accounts.door_logins")
