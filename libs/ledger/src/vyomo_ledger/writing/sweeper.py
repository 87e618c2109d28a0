"""Looks for orders nobody took: expires those whose time has passed, rings again for the others."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.writing.exits import alert_unsent_exits
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.ledger import Ledger
from vyomo_ledger.writing.transaction import Step
from vyomo_service_kit.clock import Clock

log = structlog.get_logger()

UNTAKEN_AFTER: Final = timedelta(seconds=5)
MOST_ORDERS: Final = 500

_EXPIRED: Final = """
SELECT account_id, order_id FROM ledger.broker_orders WHERE state = 'NEW' AND expires_at <= now() LIMIT $1
"""
_UNTAKEN: Final = """
SELECT DISTINCT account_id, broker FROM ledger.broker_orders
WHERE state = 'NEW' AND created_at < now() - $1::interval AND expires_at > now() ORDER BY account_id LIMIT $2
"""


class Sweeper:
    """`ring(broker, account_ids)` sends the doorbell."""

    def __init__(
        self, ledger: Ledger, clock: Clock, lease: Lease, ring: Callable[[str, list[int]], Awaitable[None]]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lease = lease
        self._ring = ring

    async def run_once(self) -> None:
        if not await self._lease.hold():
            return
        await self._expire()
        await self._ring_again()

    async def _expire(self) -> None:
        """An outage must never release a burst of old orders: what is unsent at `expires_at` ends here."""
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(_EXPIRED, MOST_ORDERS)
        if not rows:
            return
        update = OrderUpdate(
            state=OrderState.EXPIRED,
            at=self._clock.now(),
            reason_code=ReasonCode.EXPIRED_UNSENT,
            reason="not sent before its deadline: the broker or its worker could not be reached",
        )
        async with self._ledger.transaction(part="sweeper") as transaction:
            # One that somebody holds is being claimed or cancelled, or is there again in a second: the others do not wait for it.
            orders = await transaction.lock(
                ((row["account_id"], row["order_id"]) for row in rows), only_free=True
            )
            # A worker may have claimed it since; the lock shows the order as it is now.
            unsent = [order for order in orders.values() if order.state is OrderState.NEW]
            transaction.step([Step(order=order, update=update) for order in unsent])
            await alert_unsent_exits(transaction, unsent, update.at)
        log.warning("sweeper.expired", orders=len(unsent))

    async def _ring_again(self) -> None:
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(_UNTAKEN, UNTAKEN_AFTER, MOST_ORDERS)
        by_broker: dict[str, list[int]] = {}
        for row in rows:
            by_broker.setdefault(row["broker"], []).append(row["account_id"])
        for broker, account_ids in by_broker.items():
            await self._ring(broker, account_ids)
