"""History of schema `identity`: users and their API keys."""

from vyomo_service_kit.migrations import MigrationHistory

HISTORY = MigrationHistory(name="identity", package="vyomo_gateway.migrations", order=20)
