"""Sessions of browsers that are long over may be forgotten."""

from alembic import op

revision = "0004_forgetting"
down_revision = "0003_browser"


def upgrade() -> None:
    op.execute("GRANT DELETE ON identity.browser_sessions TO vyomo_gateway")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON identity.browser_sessions FROM vyomo_gateway")
