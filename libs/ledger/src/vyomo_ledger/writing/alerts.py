"""Raising an alert in the transaction that learnt of its cause: recorded with it, logged as an error, told on the bus after it."""

from datetime import datetime
from typing import Final

import structlog

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.orders import Order
from vyomo_ledger.writing.transaction import LedgerTransaction
from vyomo_service_kit.database import Connection

log = structlog.get_logger()

INSTALLATION: Final = 0
"""As an alert's account: none, the installation itself."""

_RAISE: Final = """
INSERT INTO ledger.alerts (account_id, user_id, broker, code, subject, message, raised_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account_id, code, subject) WHERE cleared_at IS NULL DO NOTHING
RETURNING id
"""
_CLEAR: Final = """
UPDATE ledger.alerts SET cleared_at = now()
WHERE account_id = $1 AND code = $2 AND subject = $3 AND cleared_at IS NULL
"""
_STOP_ACCEPTING: Final = "UPDATE ledger.lanes SET accepting = false WHERE account_id = $1 AND lane = 'ACCEPT'"


async def raise_alert(transaction: LedgerTransaction, alert: Alert) -> bool:
    """True if it is new; one that stands already is left alone."""
    raised = await transaction.connection.fetchval(
        _RAISE,
        alert.account_id,
        alert.user_id,
        alert.broker,
        alert.code,
        alert.subject,
        alert.message,
        alert.raised_at,
    )
    if raised is None:
        return False
    log.error(
        "alert.raised",
        account_id=alert.account_id,
        code=alert.code,
        subject=alert.subject,
        message=alert.message,
    )
    transaction.announce_alert(raised, alert)
    return True


async def raise_installation_alert(
    connection: Connection, code: AlertCode, subject: str, message: str, at: datetime
) -> bool:
    """For who runs the installation: it is of no account, so no user's client hears of it. True if it is new."""
    raised = await connection.fetchval(_RAISE, INSTALLATION, "", "", code, subject, message, at)
    if raised is not None:
        log.error("alert.raised", account_id=INSTALLATION, code=code, subject=subject, message=message)
    return raised is not None


async def alert_reopened(transaction: LedgerTransaction, before: Order, broker_order_id: str) -> None:
    """An order that was given up is taken up again, on the broker's evidence and on nothing less."""
    alert = Alert(
        account_id=before.account_id,
        user_id=before.user_id,
        broker=before.broker,
        code=AlertCode.ORDER_REAPPEARED,
        subject=before.order_id,
        message=f"{before.order_id} was given up ({before.reason}) and is at the broker as {broker_order_id}",
        raised_at=transaction.current(before).updated_at,
    )
    await raise_alert(transaction, alert)


async def clear_alert(connection: Connection, account_id: int, code: AlertCode, subject: str) -> None:
    await connection.execute(_CLEAR, account_id, code, subject)


async def stop_accepting(connection: Connection, account_id: int) -> None:
    """The account takes no new orders until a person switches it on again; cancelling and modifying go on.

    The one place where reconciling closes an account, until there is a trading state that lets reducing orders through.
    """
    await connection.execute(_STOP_ACCEPTING, account_id)
