"""A switch of its own for positions that nothing explains."""

from alembic import op

revision = "0008_drift"
down_revision = "0007_sends"


def upgrade() -> None:
    _set_causes("'SWITCH', 'DAILY_LOSS', 'BREAKER', 'DRIFT'")


def downgrade() -> None:
    op.execute("DELETE FROM ledger.controls WHERE cause = 'DRIFT'")
    _set_causes("'SWITCH', 'DAILY_LOSS', 'BREAKER'")


def _set_causes(causes: str) -> None:
    op.execute("ALTER TABLE ledger.controls DROP CONSTRAINT controls_cause_check")
    op.execute(f"ALTER TABLE ledger.controls ADD CONSTRAINT controls_cause_check CHECK (cause IN ({causes}))")
