"""What the outcome of a call says of its order, as the lifecycle takes it."""

from datetime import datetime
from typing import assert_never

from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.writing import PendingChange


def update_unsent(change: PendingChange, at: datetime) -> OrderUpdate:
    """What a change makes of an order that is still only ours."""
    if change.action is PendingAction.CANCEL:
        return OrderUpdate(state=OrderState.CANCELLED, at=at, clears_pending_action=True)
    assert change.modification is not None
    modified = change.modification.model_dump(exclude_none=True)
    return OrderUpdate(state=OrderState.NEW, at=at, modified=modified, clears_pending_action=True)


def update_given_up(order: Order, at: datetime) -> OrderUpdate:
    """A change that waited too long for a broker session: the order stays as it is, and says why."""
    return OrderUpdate(
        state=order.state,
        at=at,
        reason_code=ReasonCode.EXPIRED_UNSENT,
        reason=f"the {str(order.pending_action).lower()} was not sent: no broker session",
        clears_pending_action=True,
    )


def update_of_placing(outcome: Outcome, at: datetime) -> OrderUpdate:
    """What a place call's outcome says of the order."""
    match outcome:
        case Accepted(broker_order_id=broker_order_id):
            return OrderUpdate(state=OrderState.ACKNOWLEDGED, at=at, broker_order_id=broker_order_id)
        case Refused(code=code, text=text):
            reason = f"{code}: {text}"
            return OrderUpdate(
                state=OrderState.REJECTED, at=at, reason_code=ReasonCode.BROKER_REFUSED, reason=reason
            )
        case NotSent():
            # Proved unsent, so it may be tried again until it expires: the next look into the record finds it.
            return OrderUpdate(state=OrderState.NEW, at=at)
        case RateLimited(text=text):
            # Most likely it never reached their order system; the next look into the book settles it.
            return OrderUpdate(
                state=OrderState.UNCONFIRMED, at=at, reason_code=ReasonCode.RATE_LIMITED, reason=text
            )
        case Unknown(cause=cause):
            return OrderUpdate(
                state=OrderState.UNCONFIRMED, at=at, reason_code=ReasonCode.OUTCOME_UNKNOWN, reason=cause
            )
        case _:
            assert_never(outcome)


def update_of_change(
    change: PendingChange, outcome: Outcome, order: Order, at: datetime, *, settles: bool
) -> OrderUpdate | None:
    """What a modify or cancel call's outcome says of the order; None where only the broker's book can tell.

    A cancel that was accepted is not yet a cancelled order, and one that was refused may mean that the order is already filled:
    the book answers both. A refused or unsent modification is over. `settles` is False when the change is no longer the one that
    is pending: a cancellation overtook the modification, and stands.
    """
    match outcome:
        case Accepted() if change.action is PendingAction.MODIFY and change.modification is not None:
            changed = change.modification.model_dump(exclude_none=True)
            return OrderUpdate(state=order.state, at=at, modified=changed, clears_pending_action=settles)
        case Refused(code=code, text=text):
            return OrderUpdate(
                state=order.state,
                at=at,
                reason_code=ReasonCode.BROKER_REFUSED,
                reason=f"{code}: {text}",
                clears_pending_action=settles,
            )
        case NotSent(cause=cause):
            return OrderUpdate(
                state=order.state,
                at=at,
                reason_code=ReasonCode.BROKER_UNREACHABLE,
                reason=f"the {change.action.lower()} was not sent: {cause}",
                clears_pending_action=settles,
            )
        case RateLimited(text=text):
            return OrderUpdate(
                state=order.state,
                at=at,
                reason_code=ReasonCode.RATE_LIMITED,
                reason=f"the {change.action.lower()} was turned away: {text}",
                clears_pending_action=settles,
            )
        case Accepted() | Unknown():
            return None
        case _:
            assert_never(outcome)
