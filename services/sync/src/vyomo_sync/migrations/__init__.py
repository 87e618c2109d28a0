"""History of the schema `sync`: trading sessions and the trades that mirror their accounts' positions."""

from vyomo_service_kit.migrations import MigrationHistory

HISTORY = MigrationHistory(name="sync", package="vyomo_sync.migrations", order=40)
