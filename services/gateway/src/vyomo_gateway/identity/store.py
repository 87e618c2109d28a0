"""The tables of schema `identity`. They say who a caller is, so they are read before there is a principal to bind to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.identity.keys import ApiKey
from vyomo_service_kit.database import Connection

_FIND: Final = """
SELECT user_id, digest, scopes, expires_at, revoked_at FROM identity.api_keys WHERE key_id = $1
"""
_TOUCH: Final = """
UPDATE identity.api_keys SET last_used_at = $2::timestamptz
WHERE key_id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '5 minutes')
"""
_ADD_USER: Final = "INSERT INTO identity.users (user_id) VALUES ($1) ON CONFLICT DO NOTHING"
_ADD_KEY: Final = """
INSERT INTO identity.api_keys (key_id, user_id, digest, scopes, name, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    user_id: str
    digest: bytes
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None

    def is_valid_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


async def find_key(connection: Connection, key_id: str) -> StoredKey | None:
    row = await connection.fetchrow(_FIND, key_id)
    if row is None:
        return None
    return StoredKey(
        row["user_id"], row["digest"], frozenset(row["scopes"]), row["expires_at"], row["revoked_at"]
    )


async def touch_key(connection: Connection, key_id: str, at: datetime) -> None:
    """Note the use of a key, at most every five minutes."""
    await connection.execute(_TOUCH, key_id, at)


async def add_key(
    connection: Connection,
    key: ApiKey,
    *,
    user_id: str,
    pepper: bytes,
    scopes: Sequence[Scope],
    name: str,
    expires_at: datetime | None = None,
) -> None:
    """Record a key, and its user where new; the secret itself is not kept."""
    await connection.execute(_ADD_USER, user_id)
    digest = key.digest(pepper)
    await connection.execute(_ADD_KEY, key.key_id, user_id, digest, list(scopes), name, expires_at)
