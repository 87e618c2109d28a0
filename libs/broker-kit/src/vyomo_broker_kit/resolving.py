"""What absence from a broker's book means for an order whose outcome is unknown. Pure.

Absence is believed only from a broker's settle time on, after enough good readings, and when no trade speaks against it. Nothing is
ever sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import BookEntry, TradeEntry
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """How well it is known that an order is not there. Times are readings of one clock that counts suspended time."""

    deadline: float
    """Its call was over by then, whatever became of it."""
    answered: float
    """Its last change in the record: for a call that was turned away, the moment that was recorded."""
    good_reads: Sequence[float]
    """When the latest good readings of the book began; the last one is this one."""
    trades_read: bool
    unexplained_trade: bool
    """A trade of its instrument and side that belongs to no order the book shows."""

    def is_proof(self, limits: ReconcileLimits) -> bool:
        since = [began for began in self.good_reads if began > self.deadline]
        return (
            len(since) >= limits.good_reads
            and since[-1] >= self.deadline + limits.settle_seconds
            and self.trades_read
            and not self.unexplained_trade
        )

    def is_ripe(self, limits: ReconcileLimits) -> bool:
        """True when all that is missing may be a look at the trades."""
        return bool(self.good_reads) and self.good_reads[-1] >= self.deadline + limits.settle_seconds


def update_of_absence(
    order: Order, absence: Absence, limits: ReconcileLimits, at: datetime
) -> OrderUpdate | None:
    """None while nothing may be concluded."""
    if order.reason_code is ReasonCode.RATE_LIMITED and order.state is OrderState.UNCONFIRMED:
        # Turned away before their order system, so one good reading that began after the answer is enough.
        if not any(began > absence.answered for began in absence.good_reads):
            return None
        return OrderUpdate(
            state=OrderState.REJECTED,
            at=at,
            reason_code=ReasonCode.RATE_LIMITED,
            reason=order.reason or "the broker turned it away for coming too often; it was not sent again",
        )
    if absence.is_proof(limits):
        return OrderUpdate(
            state=OrderState.REJECTED,
            at=at,
            reason_code=ReasonCode.NOT_FOUND_AT_BROKER,
            reason=f"the broker does not know it {limits.settle_seconds:g} s after it may have been sent; it was not sent again",
        )
    return None


def update_of_silence(at: datetime) -> OrderUpdate:
    """For an order whose call was over without a recorded outcome: its worker died, slept or could not reach the record."""
    return OrderUpdate(
        state=OrderState.UNCONFIRMED,
        at=at,
        reason_code=ReasonCode.OUTCOME_UNKNOWN,
        reason="no outcome was recorded before the send deadline",
    )


def has_unexplained_trade(order: Order, entries: Sequence[BookEntry], trades: Sequence[TradeEntry]) -> bool:
    shown = {entry.broker_order_id for entry in entries}
    return any(
        trade.broker_order_id not in shown
        and (trade.symbol, trade.transaction_type) == (order.symbol, order.transaction_type)
        for trade in trades
    )
