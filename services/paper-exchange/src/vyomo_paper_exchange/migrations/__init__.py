"""History of the paper exchange's own schema `venue`."""

from vyomo_service_kit.migrations import MigrationHistory

HISTORY = MigrationHistory(name="venue", package="vyomo_paper_exchange.migrations", order=30)
