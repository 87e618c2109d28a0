"""What the bus may lose or a consumer refuse: dead letters, alerts and sessions in the outbox, finding what changed lately."""

from alembic import op

revision = "0006_dead_letters"
down_revision = "0005_audit"

STATEMENTS = (
    # Messages no consumer could take, and outbox rows nobody could publish. Their content is what the bus carries: no credentials.
    """
    CREATE TABLE ledger.dead_letters (
        id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        consumer        text NOT NULL,
        stream          text NOT NULL,
        stream_sequence bigint NOT NULL,
        stored_at       timestamptz NOT NULL,
        subject         text NOT NULL,
        digest          text NOT NULL,
        payload         bytea,
        why             text NOT NULL,
        traceback       text,
        deliveries      integer NOT NULL,
        state           text NOT NULL DEFAULT 'OPEN' CHECK (state IN ('OPEN', 'REPLAYING', 'REPLAYED', 'DISCARDED')),
        kept_at         timestamptz NOT NULL DEFAULT now(),
        attended_at     timestamptz,
        changed_at      timestamptz NOT NULL DEFAULT now(),
        UNIQUE (consumer, stream, stream_sequence, stored_at)
    )
    """,
    # What the router looks for each second: next to nothing.
    """
    CREATE INDEX dead_letters_to_do ON ledger.dead_letters (id) WHERE attended_at IS NULL OR state = 'REPLAYING'
    """,
    "GRANT SELECT, INSERT ON ledger.dead_letters TO vyomo_router, vyomo_worker, vyomo_sync",
    "GRANT UPDATE (state, attended_at, changed_at) ON ledger.dead_letters TO vyomo_router",
    # News that used to be told once from memory is pointed at like everything else, so the relay can tell it again.
    "ALTER TABLE ledger.outbox ADD COLUMN alert_ids bigint[] NOT NULL DEFAULT '{}'",
    "ALTER TABLE ledger.outbox ADD COLUMN session_account_ids bigint[] NOT NULL DEFAULT '{}'",
    # By time, for the audit of the event stream. The table only grows at its end, so a few kilobytes say where a minute is.
    """
    CREATE INDEX order_events_by_time ON ledger.order_events USING brin (recorded_at)
        WITH (pages_per_range = 32, autosummarize = on)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX ledger.order_events_by_time")
    op.execute("ALTER TABLE ledger.outbox DROP COLUMN alert_ids, DROP COLUMN session_account_ids")
    op.execute("DROP TABLE ledger.dead_letters")
