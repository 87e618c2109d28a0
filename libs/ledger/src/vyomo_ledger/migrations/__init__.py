"""History of the shared record: schemas `market`, `accounts` and `ledger`."""

from vyomo_service_kit.migrations import MigrationHistory

HISTORY = MigrationHistory(name="record", package="vyomo_ledger.migrations", order=10)
