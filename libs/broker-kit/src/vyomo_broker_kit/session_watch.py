"""Broker sessions grow old: the state says so before and when it happens. What may be sent does not wait for this; the claim looks at the clock."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger, ageing_sessions, end_session, lock_sessions, mark_expiring
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.runtime import cancel_and_wait, repeat

WATCH_SECONDS: Final = 1.0


class SessionWatch:
    def __init__(
        self, ledger: Ledger, clock: Clock, *, broker: Broker, partitions: int, owned: frozenset[int]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._broker = broker
        self._partitions = partitions
        self._owned = owned

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        watching = asyncio.create_task(
            repeat(self.run_once, every_seconds=WATCH_SECONDS, name=f"sessions.{self._broker}")
        )
        try:
            yield
        finally:
            await cancel_and_wait(watching)

    async def run_once(self) -> None:
        now = self._clock.now()
        async with self._ledger.transaction() as transaction:
            ageing = [
                (session, is_over)
                for session, is_over in await ageing_sessions(transaction, self._broker)
                if partition_of(session.account_id, self._partitions) in self._owned
            ]
            if not ageing:
                return
            await lock_sessions(transaction, [session.account_id for session, _ in ageing])
            for session, is_over in ageing:
                if is_over:
                    await end_session(
                        transaction, session.account_id, reason="the broker session is over", at=now
                    )
                else:
                    await mark_expiring(transaction, session, now)


async def session_refused(ledger: Ledger, clock: Clock, account_id: int, *, asked_at: datetime) -> None:
    """A reading that began at `asked_at` was answered with the wish for a new login."""
    async with ledger.transaction() as transaction:
        await lock_sessions(transaction, [account_id])
        await end_session(
            transaction,
            account_id,
            reason="the broker refused the session",
            at=clock.now(),
            asked_at=asked_at,
        )
