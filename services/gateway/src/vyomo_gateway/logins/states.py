"""What ties a browser that comes back from a broker to the account it was sent away for: random, good for once and for minutes."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vyomo_contracts.messages import Principal
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database

VALID_FOR: Final = timedelta(minutes=10)
_ADD: Final = """
INSERT INTO identity.login_states (digest, account_id, broker, client_id, user_id, key_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_FORGET_OLD: Final = "DELETE FROM identity.login_states WHERE expires_at <= $1"
# Taken by deleting it: of two who bring it back at once, one finds it.
_TAKE: Final = """
DELETE FROM identity.login_states WHERE digest = $1 AND broker = $2
RETURNING account_id, broker, client_id, user_id, key_id, expires_at
"""


@dataclass(frozen=True, slots=True)
class PendingLogin:
    account_id: int
    broker: Broker
    client_id: str
    principal: Principal
    expires_at: datetime


class LoginStates:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(
        self, principal: Principal, *, account_id: int, broker: Broker, client_id: str
    ) -> tuple[str, datetime]:
        """The text that the browser is to bring back, and until when it may."""
        state, now = secrets.token_urlsafe(32), self._clock.now()
        expires_at = now + VALID_FOR
        async with self._database.transaction() as connection:
            await connection.execute(_FORGET_OLD, now)
            await connection.execute(
                _ADD,
                _digest(state),
                account_id,
                broker,
                client_id,
                principal.user_id,
                principal.key_id,
                expires_at,
            )
        return state, expires_at

    async def take(self, state: str, broker: Broker) -> PendingLogin | None:
        """Whom it was made for; None if it is not known, was used, or is too old."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_TAKE, _digest(state), broker)
        if row is None or row["expires_at"] <= self._clock.now():
            return None
        return PendingLogin(
            account_id=row["account_id"],
            broker=Broker(row["broker"]),
            client_id=row["client_id"],
            principal=Principal(user_id=row["user_id"], key_id=row["key_id"]),
            expires_at=row["expires_at"],
        )


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
