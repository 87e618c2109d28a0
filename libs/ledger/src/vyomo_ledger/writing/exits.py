"""Orders that reduce a position: they have their own way to the broker, and none of them ends unsent in silence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.orders import Order
from vyomo_ledger.writing.alerts import raise_alert
from vyomo_ledger.writing.reducing import is_exit
from vyomo_ledger.writing.transaction import LedgerTransaction

_REDUCING: Final = f"""
SELECT order_id FROM ledger.broker_orders AS o
WHERE account_id = ANY($1::bigint[]) AND order_id = ANY($2::text[]) AND {is_exit("o")}
"""


async def alert_unsent_exits(transaction: LedgerTransaction, orders: Sequence[Order], at: datetime) -> None:
    """For orders that end now without having reached a broker: entries may, an exit needs its owner to act."""
    if not orders:
        return
    accounts = sorted({order.account_id for order in orders})
    rows = await transaction.connection.fetch(_REDUCING, accounts, [order.order_id for order in orders])
    reducing = {row["order_id"] for row in rows}
    for order in orders:
        if order.order_id not in reducing:
            continue
        alert = Alert(
            account_id=order.account_id,
            user_id=order.user_id,
            broker=order.broker,
            code=AlertCode.EXIT_NOT_SENT,
            subject=order.order_id,
            message=f"{order.transaction_type} {order.quantity} {order.exchange}:{order.symbol} would have reduced a position and "
            "did not reach the broker; the position is still open",
            raised_at=at,
        )
        await raise_alert(transaction, alert)
