"""Trading sessions, their links to accounts, and the accounts' positions as the record has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vyomo_contracts.portfolio import Position
from vyomo_service_kit.database import Connection

_OWNS_ACCOUNT = "SELECT EXISTS (SELECT FROM accounts.broker_accounts WHERE id = $1 AND user_id = $2)"

_CLAIM_SESSION = """
INSERT INTO sync.trading_sessions (id, user_id, created_at, updated_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (id) DO NOTHING
"""

_OWNS_SESSION = "SELECT EXISTS (SELECT FROM sync.trading_sessions WHERE id = $1 AND user_id = $2)"

_LINK = """
INSERT INTO sync.session_accounts (session_id, account_id, user_id, linked_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (session_id, account_id) DO NOTHING
"""

_SYNCED = "UPDATE sync.session_accounts SET synced_at = $3 WHERE session_id = $1 AND account_id = $2"

_IS_ANY_LINKED = "SELECT EXISTS (SELECT FROM sync.session_accounts WHERE account_id = ANY($1::bigint[]))"

# Locked in one order by all: a sync request and the event consumer must not both read what is known before either writes it.
_LOCK_LINKS = """
SELECT session_id, account_id, user_id FROM sync.session_accounts
WHERE account_id = ANY($1::bigint[]) AND ($2::bigint IS NULL OR session_id = $2)
ORDER BY account_id, session_id
FOR UPDATE
"""

_POSITIONS = """
SELECT account_id, user_id, broker, exchange, symbol, product, quantity, overnight_quantity, multiplier, average_price,
       buy_quantity, buy_value, sell_quantity, sell_value, realised, last_price, version, updated_at
FROM accounts.positions
WHERE account_id = $1 AND user_id = $2
ORDER BY exchange, symbol, product
"""


@dataclass(frozen=True, slots=True)
class Link:
    session_id: int
    account_id: int
    user_id: str


async def owns_account(connection: Connection, user_id: str, account_id: int) -> bool:
    return bool(await connection.fetchval(_OWNS_ACCOUNT, account_id, user_id))


async def claim_session(connection: Connection, user_id: str, session_id: int, at: datetime) -> bool:
    """True when the session is the user's, now or already; a session never named before becomes theirs."""
    await connection.execute(_CLAIM_SESSION, session_id, user_id, at)
    return bool(await connection.fetchval(_OWNS_SESSION, session_id, user_id))


async def link_account(connection: Connection, link: Link, at: datetime) -> None:
    await connection.execute(_LINK, link.session_id, link.account_id, link.user_id, at)


async def mark_synced(connection: Connection, link: Link, at: datetime) -> None:
    await connection.execute(_SYNCED, link.session_id, link.account_id, at)


async def is_any_linked(connection: Connection, account_ids: Sequence[int]) -> bool:
    return bool(await connection.fetchval(_IS_ANY_LINKED, account_ids))


async def lock_links(
    connection: Connection, account_ids: Sequence[int], session_id: int | None = None
) -> list[Link]:
    rows = await connection.fetch(_LOCK_LINKS, account_ids, session_id)
    return [Link(**dict(row)) for row in rows]


async def current_positions(connection: Connection, account_id: int, user_id: str) -> list[Position]:
    rows = await connection.fetch(_POSITIONS, account_id, user_id)
    return [Position.model_validate(dict(row)) for row in rows]
