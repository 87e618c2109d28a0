"""Limits, switches and the record of both.

What restrains an account is materialised in its lanes, the rows that accepting and claiming lock anyway: neither reads another
table, and whoever waited for the lane sees what was committed meanwhile.
"""

from alembic import op

revision = "0003_controls"
down_revision = "0002_tags"

CONTROLS = """
ALTER TABLE ledger.lanes
    -- The most restrictive of the controls that cover the account.
    ADD COLUMN trading text NOT NULL DEFAULT 'ACTIVE' CHECK (trading IN ('ACTIVE', 'REDUCING', 'HALTED')),
    -- One more at each change of the account's limits or trading state: a decision made under another version is made again.
    ADD COLUMN risk_version bigint NOT NULL DEFAULT 0,
    -- ACCEPT: orders accepted in the calendar second of the last one.
    ADD COLUMN rate_second timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN rate_used integer NOT NULL DEFAULT 0;

-- Switches that were thrown, each as it now stands. user_id says whose accounts it covers, empty everybody's.
CREATE TABLE ledger.controls (
    user_id    text NOT NULL,
    scope      text NOT NULL CHECK (scope IN ('global', 'broker', 'account')),
    scope_id   text NOT NULL,
    cause      text NOT NULL CHECK (cause IN ('SWITCH', 'DAILY_LOSS', 'BREAKER')),
    state      text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    reason     text NOT NULL,
    actor      text NOT NULL,
    until      timestamptz,
    -- False from a HALT on until every order that was pending then is denied or told to be cancelled.
    swept      boolean NOT NULL DEFAULT true,
    version    bigint NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, scope, scope_id, cause)
);
-- The one row that is always there. Who changes a limit or a state locks it, and who opens an account shares it, so that no
-- account is opened past a change.
INSERT INTO ledger.controls (user_id, scope, scope_id, cause, state, reason, actor, version, changed_at)
VALUES ('', 'global', '', 'SWITCH', 'ACTIVE', 'never switched', 'installation', 1, now());

-- account_id 0 is the user's own level.
CREATE TABLE ledger.risk_limits (
    user_id    text NOT NULL,
    account_id bigint NOT NULL,
    limits     jsonb NOT NULL,
    actor      text NOT NULL,
    version    bigint NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, account_id)
);

-- Numbered with the order events, from the top of their transaction's range.
CREATE TABLE ledger.risk_events (
    sequence    bigint PRIMARY KEY,
    user_id     text NOT NULL,
    type        text NOT NULL,
    body        jsonb NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX risk_events_of_user ON ledger.risk_events (user_id, sequence);

ALTER TABLE ledger.outbox ADD COLUMN risk_sequences bigint[] NOT NULL DEFAULT '{}';

GRANT SELECT, INSERT, UPDATE ON ledger.controls, ledger.risk_limits TO vyomo_router;
GRANT SELECT, INSERT ON ledger.risk_events TO vyomo_router;
GRANT SELECT ON ledger.risk_events TO vyomo_gateway;

ALTER TABLE ledger.risk_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger.risk_events FORCE ROW LEVEL SECURITY;
CREATE POLICY of_user ON ledger.risk_events FOR SELECT TO vyomo_gateway
    USING (user_id = current_setting('vyomo.user_id', true));
CREATE POLICY of_services ON ledger.risk_events TO vyomo_router USING (true) WITH CHECK (true)
"""


def upgrade() -> None:
    for statement in CONTROLS.strip().split(";\n"):  # asyncpg prepares, and prepares one statement at a time
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE ledger.risk_events, ledger.risk_limits, ledger.controls")
    op.execute("ALTER TABLE ledger.outbox DROP COLUMN risk_sequences")
    op.execute(
        "ALTER TABLE ledger.lanes DROP COLUMN trading, DROP COLUMN risk_version, DROP COLUMN rate_second, DROP COLUMN rate_used"
    )
