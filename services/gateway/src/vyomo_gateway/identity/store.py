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
_LIST: Final = """
SELECT key_id, user_id, name, scopes, created_at, last_used_at, expires_at, revoked_at
FROM identity.api_keys ORDER BY created_at, key_id
"""
_REVOKE: Final = """
UPDATE identity.api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1 RETURNING name
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


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as its owner is shown it; nothing here lets anybody in."""

    key_id: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    def state_at(self, moment: datetime) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= moment else "active"


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


async def list_keys(connection: Connection) -> list[ListedKey]:
    """Every key of this installation, oldest first."""
    return [
        ListedKey(
            key_id=row["key_id"],
            user_id=row["user_id"],
            name=row["name"],
            scopes=tuple(sorted(row["scopes"])),
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
            expires_at=row["expires_at"],
            revoked_at=row["revoked_at"],
        )
        for row in await connection.fetch(_LIST)
    ]


async def revoke_key(connection: Connection, key_id: str, at: datetime) -> str | None:
    """The name of the key that is revoked from now on, or was before; None when there is no such key."""
    return await connection.fetchval(_REVOKE, key_id, at)
