"""Broker sessions: a row for everyone to read, and its end on the account's CLAIM lane, where claims look.

A claim locks that lane row anyway, so asking it costs nothing; and after a session's end has committed, no claim of the account can.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import structlog

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.sessions import BrokerSession, SessionState
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing.alerts import clear_alert, raise_alert
from vyomo_ledger.writing.transaction import LedgerTransaction
from vyomo_service_kit.database import Row

log = structlog.get_logger()

EXPIRING_BEFORE: Final = timedelta(minutes=10)
_COLUMNS: Final = ", ".join(BrokerSession.model_fields)

_LOCK_LANES: Final = """
SELECT account_id FROM ledger.lanes
WHERE lane = 'CLAIM' AND account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
"""
_OPEN_LANE: Final = "UPDATE ledger.lanes SET session_until = $2 WHERE account_id = $1 AND lane = 'CLAIM'"
_SAVE: Final = f"""
INSERT INTO accounts.broker_sessions (account_id, user_id, broker, state, valid_until, reason, updated_at, opened_at)
SELECT $1, l.user_id, l.broker, $2, $3, $4, $5, $5 FROM ledger.lanes l WHERE l.account_id = $1 AND l.lane = 'CLAIM'
ON CONFLICT (account_id) DO UPDATE SET
    state = excluded.state, valid_until = excluded.valid_until, reason = excluded.reason, updated_at = excluded.updated_at,
    opened_at = CASE WHEN excluded.state = 'ACTIVE' THEN excluded.opened_at ELSE broker_sessions.opened_at END
RETURNING {_COLUMNS}
"""
_END: Final = f"""
UPDATE accounts.broker_sessions SET state = 'EXPIRED', reason = $2, updated_at = $3
WHERE account_id = $1 AND state IN ('ACTIVE', 'EXPIRING') AND coalesce(opened_at <= $4, true)
RETURNING {_COLUMNS}
"""
_AGEING: Final = f"""
SELECT {_COLUMNS}, valid_until <= clock_timestamp() AS is_over FROM accounts.broker_sessions
WHERE broker = $1 AND (
    state = 'ACTIVE' AND valid_until <= clock_timestamp() + $2::interval
    OR state = 'EXPIRING' AND valid_until <= clock_timestamp()
)
ORDER BY account_id
"""


async def lock_sessions(transaction: LedgerTransaction, account_ids: Iterable[int]) -> None:
    """Before orders are locked in a transaction that may end a session: claims lock in this order too."""
    await transaction.connection.fetch(_LOCK_LANES, sorted(set(account_ids)))


async def open_session(
    transaction: LedgerTransaction, account_id: int, *, valid_until: datetime, at: datetime
) -> BrokerSession:
    """Somebody has signed in: orders of the account may be sent from this commit until `valid_until`."""
    await lock_sessions(transaction, [account_id])
    await transaction.connection.execute(_OPEN_LANE, account_id, valid_until)
    await clear_alert(transaction.connection, account_id, AlertCode.SESSION_EXPIRED, str(account_id))
    return await _save(transaction, account_id, SessionState.ACTIVE, valid_until, at)


async def end_session(
    transaction: LedgerTransaction,
    account_id: int,
    *,
    reason: str,
    at: datetime,
    asked_at: datetime | None = None,
) -> BrokerSession | None:
    """Nothing of the account is sent after this commit; None if no session was open. The lane is locked already.

    `asked_at` is when the call began that the broker refused: a session that was opened later was not meant and stays.
    """
    row = await transaction.connection.fetchrow(_END, account_id, reason, at, asked_at)
    if row is None:
        return None
    await transaction.connection.execute(_OPEN_LANE, account_id, None)
    session = _session(row)
    log.warning("session.expired", account_id=account_id, broker=session.broker, reason=reason)
    transaction.announce_session(session)
    alert = Alert(
        account_id=account_id,
        user_id=session.user_id,
        broker=session.broker,
        code=AlertCode.SESSION_EXPIRED,
        subject=str(account_id),
        message=f"{reason}; sign in again: new orders wait and expire, cancellations wait",
        raised_at=at,
    )
    await raise_alert(transaction, alert)
    return session


async def ageing_sessions(transaction: LedgerTransaction, broker: Broker) -> list[tuple[BrokerSession, bool]]:
    """Sessions whose state is behind the clock, and whether each is over."""
    rows = await transaction.connection.fetch(_AGEING, broker, EXPIRING_BEFORE)
    return [(_session(row), row["is_over"]) for row in rows]


async def mark_expiring(transaction: LedgerTransaction, session: BrokerSession, at: datetime) -> None:
    await _save(transaction, session.account_id, SessionState.EXPIRING, session.valid_until, at)


async def _save(
    transaction: LedgerTransaction,
    account_id: int,
    state: SessionState,
    valid_until: datetime | None,
    at: datetime,
) -> BrokerSession:
    row = await transaction.connection.fetchrow(_SAVE, account_id, state, valid_until, None, at)
    assert row is not None, "an account has its lanes from its first moment"
    session = _session(row)
    transaction.announce_session(session)
    return session


def _session(row: Row) -> BrokerSession:
    return BrokerSession.model_validate(dict(row))
