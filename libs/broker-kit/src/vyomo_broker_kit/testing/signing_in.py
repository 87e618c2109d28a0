"""The scripted broker needs no login: accounts that have no session yet are given one, as a person's sign-in would."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger, open_session
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.runtime import cancel_and_wait, repeat

_SIGNED_OUT: Final = """
SELECT l.account_id FROM ledger.lanes l LEFT JOIN accounts.broker_sessions s USING (account_id)
WHERE l.broker = $1 AND l.lane = 'CLAIM' AND s.account_id IS NULL ORDER BY l.account_id
"""
LOOK_SECONDS: Final = 0.5
VALID_FOR: Final = timedelta(days=1)


@asynccontextmanager
async def signing_in(ledger: Ledger, clock: Clock, broker: Broker) -> AsyncGenerator[None]:
    async def sign_in() -> None:
        async with ledger.database.connection() as connection:
            rows = await connection.fetch(_SIGNED_OUT, broker)
        now = clock.now()
        for row in rows:
            async with ledger.transaction() as transaction:
                await open_session(transaction, row["account_id"], valid_until=now + VALID_FOR, at=now)

    looking = asyncio.create_task(repeat(sign_in, every_seconds=LOOK_SECONDS, name="signing_in"))
    try:
        yield
    finally:
        await cancel_and_wait(looking)
