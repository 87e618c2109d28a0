"""Seals over the record's events: each covers a range of their one order and holds the hash of the one before.

Whoever changes, removes or adds an event that is sealed must make every later seal anew, and the anchors outside the database say
that somebody did.
"""

from alembic import op

revision = "0005_audit"
down_revision = "0004_sessions"

STATEMENTS = (
    # Opening accounts and switching them on and off: who did it. Numbered with the order events.
    """
    CREATE TABLE ledger.account_events (
        sequence    bigint PRIMARY KEY,
        account_id  bigint NOT NULL,
        user_id     text NOT NULL,
        type        text NOT NULL,
        body        jsonb NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "GRANT SELECT, INSERT ON ledger.account_events TO vyomo_router",
    "ALTER TABLE ledger.account_events ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE ledger.account_events FORCE ROW LEVEL SECURITY",
    "CREATE POLICY of_services ON ledger.account_events TO vyomo_router USING (true) WITH CHECK (true)",
    # Sealing and verifying read all users' events in their one order.
    "CREATE INDEX order_events_in_order ON ledger.order_events (sequence)",
    """
    CREATE TABLE ledger.audit_seals (
        number    bigint PRIMARY KEY CHECK (number > 0),
        -- The range of sequences, without `after`, with `through`. Ranges meet: what lies in one and is not in its entries was added.
        after     bigint NOT NULL,
        through   bigint NOT NULL CHECK (through > after),
        events    integer NOT NULL CHECK (events > 0),
        -- Events of this seal and all before it.
        total     bigint NOT NULL,
        -- Of each event its sequence, SHA-256 and name.
        entries   bytea NOT NULL,
        previous  bytea NOT NULL CHECK (octet_length(previous) = 32),
        hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
        sealed_at timestamptz NOT NULL
    )
    """,
    # Nobody but the sealer reads or writes them, and nobody at all changes or removes one.
    "GRANT SELECT, INSERT ON ledger.audit_seals TO vyomo_router",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ledger.audit_seals, ledger.account_events")
    op.execute("DROP INDEX ledger.order_events_in_order")
