"""Keeping what a consumer could not take, in the record: `ledger.dead_letters`. Any service may keep; the router sees to the rest."""

import hashlib
from typing import Final

from vyomo_service_kit.consuming import DeadLetter
from vyomo_service_kit.database import Connection, Database

_KEEP: Final = """
INSERT INTO ledger.dead_letters (
    consumer, stream, stream_sequence, stored_at, subject, digest, payload, why, traceback, deliveries
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (consumer, stream, stream_sequence, stored_at) DO NOTHING
"""


async def keep(connection: Connection, letter: DeadLetter) -> None:
    """Safe to repeat: one row a message and consumer."""
    await connection.execute(
        _KEEP,
        letter.consumer,
        letter.stream,
        letter.stream_sequence,
        letter.stored_at,
        letter.subject,
        hashlib.sha256(letter.payload or b"").hexdigest(),
        letter.payload,
        letter.why,
        letter.traceback,
        letter.deliveries,
    )


class DeadLetterBox:
    """`keep` is what `Bus.keep_dead_letter` takes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, letter: DeadLetter) -> None:
        """Raises `RecordUnavailableError`: nothing is known to be kept."""
        async with self._database.connection() as connection:
            await keep(connection, letter)
