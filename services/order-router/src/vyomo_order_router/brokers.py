"""Tells the supervisor which brokers have accounts: a broker's worker starts with the first account of its broker."""

from typing import Final

from vyomo_service_kit.database import Database
from vyomo_service_kit.notify import Notifier

EVERY_SECONDS: Final = 2.0
_IN_USE: Final = "SELECT DISTINCT broker FROM accounts.broker_accounts WHERE is_active AND broker <> 'paper' ORDER BY broker"


class BrokersInUse:
    def __init__(self, database: Database, notifier: Notifier) -> None:
        self._database = database
        self._notifier = notifier

    async def run_once(self) -> None:
        """Said again and again: the supervisor may have been started anew, or its queue full."""
        async with self._database.connection() as connection:
            brokers = [row["broker"] for row in await connection.fetch(_IN_USE)]
        if brokers:
            self._notifier.brokers(brokers)
