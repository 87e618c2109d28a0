"""The order lifecycle: one table of legal moves and one pure function that applies what was learnt.

`apply` never raises out of a consumer: it answers Applied, Duplicate, Stale or Illegal, and the caller decides what each is
worth. Brokers send statuses late, twice and out of order; fills are facts, statuses are opinions, so a filled quantity never
goes down and a state never moves backwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction

_S = OrderState
_VENUE_STATES: Final = frozenset(
    {_S.TRIGGER_PENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}
)
_OURS: Final = frozenset({_S.NEW, _S.DENIED, _S.SUBMITTING, _S.UNCONFIRMED})
"""Words of our own steps, which know nothing of fills."""

TRANSITIONS: Final[Mapping[OrderState, frozenset[OrderState]]] = {
    # The paper venue claims and fills in one transaction, so NEW may reach any venue state; CANCELLED and EXPIRED are also
    # the router's, which wins or loses against a worker's claim by version.
    _S.NEW: frozenset({_S.DENIED, _S.SUBMITTING, _S.ACKNOWLEDGED}) | _VENUE_STATES,
    _S.DENIED: frozenset(),
    # Back to NEW only where it is proved that nothing was sent (no connection was made).
    _S.SUBMITTING: frozenset({_S.NEW, _S.UNCONFIRMED, _S.ACKNOWLEDGED}) | _VENUE_STATES,
    _S.UNCONFIRMED: frozenset({_S.ACKNOWLEDGED}) | _VENUE_STATES,
    # A broker's id is not acceptance: its risk system or the exchange may still reject.
    _S.ACKNOWLEDGED: _VENUE_STATES,
    _S.TRIGGER_PENDING: _VENUE_STATES - {_S.TRIGGER_PENDING},
    # Back to TRIGGER_PENDING: an open limit order modified into a stop.
    _S.OPEN: _VENUE_STATES - {_S.OPEN},
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    # Late fills are real: they raise the filled quantity and, when they complete it, the state.
    _S.CANCELLED: frozenset({_S.CANCELLED, _S.FILLED}),
    _S.EXPIRED: frozenset({_S.EXPIRED, _S.FILLED}),
    # Re-opened only by broker evidence after we had given an order up without proof; `apply` checks the reason.
    _S.REJECTED: frozenset({_S.ACKNOWLEDGED}) | _VENUE_STATES - {_S.REJECTED},
}

GIVEN_UP: Final = frozenset({ReasonCode.NOT_FOUND_AT_BROKER, ReasonCode.RATE_LIMITED})
"""Reasons of a REJECTED order that the broker never said no to: not seen in its book, as long as one may wait for that."""

_RANK: Final[Mapping[OrderState, int]] = {
    _S.NEW: 0,
    _S.SUBMITTING: 1,
    _S.UNCONFIRMED: 2,
    _S.ACKNOWLEDGED: 3,
    _S.TRIGGER_PENDING: 4,
    _S.OPEN: 5,
    _S.PARTIALLY_FILLED: 6,
    _S.DENIED: 7,
    _S.FILLED: 7,
    _S.CANCELLED: 7,
    _S.REJECTED: 7,
    _S.EXPIRED: 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """What was learnt of an order: from our own step, a broker's answer, its book or its stream.

    `filled_quantity` and `average_price` are cumulative, as brokers report them. `None` means "says nothing about it".
    """

    state: OrderState
    at: datetime
    filled_quantity: int | None = None
    average_price: Decimal | None = None
    broker_order_id: str | None = None
    reason_code: ReasonCode | None = None
    reason: str | None = None
    modified: Mapping[str, object] | None = None
    """Order fields a confirmed modification changed (quantity, price, trigger_price, order_type, validity)."""
    clears_pending_action: bool = False


@dataclass(frozen=True, slots=True)
class Increment:
    """The part of a cumulative fill that was not known before."""

    quantity: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Applied:
    order: Order
    increment: Increment | None


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Nothing new: the same was known already."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Older than what is known; quietly dropped."""

    why: str


@dataclass(frozen=True, slots=True)
class Illegal:
    """Cannot be true together with what is known: journal it, alert, and read the order again at the broker."""

    why: str


Result = Applied | Duplicate | Stale | Illegal


def apply(order: Order, update: OrderUpdate) -> Result:
    """The order after `update`, or why there is none. Pure; the new snapshot's version is one more."""
    told = order.filled_quantity if update.filled_quantity is None else update.filled_quantity
    filled = max(told, order.filled_quantity)
    impossible = _impossible(order, update, told, filled)
    if impossible is not None:
        return Illegal(impossible)
    if told < order.filled_quantity and (order.state.is_terminal or not update.state.is_terminal):
        return Stale(f"filled quantity {told} is behind the known {order.filled_quantity}")

    state = _merged_state(order, update, filled)
    grew = filled > order.filled_quantity
    if state is order.state and not grew and not _says_more(order, update):
        return Duplicate()
    if state is not order.state or order.state.is_terminal:
        refusal = _refusal(order, update, state, grew=grew)
        if refusal is not None:
            return refusal
    return Applied(order=_next(order, update, state, filled), increment=_increment(order, update, filled))


def _impossible(order: Order, update: OrderUpdate, told: int, filled: int) -> str | None:
    """A contradiction that no late or repeated message explains: only another look at the broker's book can."""
    if update.broker_order_id is not None and order.broker_order_id not in {None, update.broker_order_id}:
        # One order of ours is one order there, for ever: a second id is a second order.
        return f"the broker calls it {update.broker_order_id}, before it was {order.broker_order_id}"
    quantity = _modified_quantity(order, update)
    if filled > quantity:
        return f"filled {filled} of {quantity}: more than was ordered"
    if told > order.filled_quantity and not update.average_price:
        return f"filled {told} without a price"
    contradicts = {
        **dict.fromkeys(_OURS, told > order.filled_quantity),
        OrderState.FILLED: filled < quantity,
        OrderState.PARTIALLY_FILLED: not filled,
        OrderState.REJECTED: told < order.filled_quantity,
    }
    return (
        f"{update.state} with {told} filled of {quantity}" if contradicts.get(update.state, False) else None
    )


def _modified_quantity(order: Order, update: OrderUpdate) -> int:
    changed = (update.modified or {}).get("quantity")
    return changed if isinstance(changed, int) else order.quantity


def _merged_state(order: Order, update: OrderUpdate, filled: int) -> OrderState:
    """A complete fill is FILLED whatever word came with it, and a part fill of a working order is PARTIALLY_FILLED."""
    if filled == _modified_quantity(order, update) and order.state is not OrderState.FILLED:
        return OrderState.FILLED
    is_ended = order.state in {_S.CANCELLED, _S.EXPIRED}
    if is_ended and filled > order.filled_quantity:
        return order.state
    if filled and update.state in {_S.ACKNOWLEDGED, _S.TRIGGER_PENDING, _S.OPEN, _S.PARTIALLY_FILLED}:
        return order.state if is_ended else OrderState.PARTIALLY_FILLED
    return update.state


def _says_more(order: Order, update: OrderUpdate) -> bool:
    return (
        (update.broker_order_id is not None and update.broker_order_id != order.broker_order_id)
        or bool(update.modified)
        or (update.clears_pending_action and order.pending_action is not None)
    )


def _refusal(order: Order, update: OrderUpdate, state: OrderState, *, grew: bool) -> Stale | Illegal | None:
    current = order.state
    if state is current and not grew:
        return Stale(f"{state} again")
    if current is OrderState.REJECTED and order.reason_code not in GIVEN_UP:
        why = f"{state} after REJECTED"
        return Illegal(why) if state.is_terminal or grew else Stale(why)
    # The one legal step back among working states: without a confirmed modification only newer word is believed.
    is_step_back = current is OrderState.OPEN and state is OrderState.TRIGGER_PENDING
    if is_step_back and not update.modified and update.at < order.updated_at:
        return Stale(f"{state} is older than {current}")
    if state in TRANSITIONS[current]:
        return None
    is_behind = _RANK[state] <= _RANK[current] and not (state.is_terminal and current.is_terminal)
    return (
        Stale(f"{state} is behind {current}")
        if is_behind and not grew
        else Illegal(f"{current} cannot become {state}{' by a fill' if grew else ''}")
    )


def _increment(order: Order, update: OrderUpdate, filled: int) -> Increment | None:
    """Cumulative to incremental: q = Q1 - Q0 at (A1*Q1 - A0*Q0) / q.

    Never below zero: an average rounded to paise may say less in sum than the one before it.
    """
    quantity = filled - order.filled_quantity
    if quantity <= 0 or update.average_price is None:
        return None
    value = to_price(update.average_price) * filled - order.filled_value
    return Increment(quantity=quantity, price=to_price(max(value, ZERO) / quantity))


def _next(order: Order, update: OrderUpdate, state: OrderState, filled: int) -> Order:
    changes: dict[str, object] = dict(update.modified or {})
    changes |= {
        "state": state,
        "filled_quantity": filled,
        "version": order.version + 1,
        "updated_at": max(update.at, order.updated_at),
    }
    if filled > order.filled_quantity and update.average_price is not None:
        # Rounded as the column is: the event must say what the row says.
        changes["average_price"] = to_price(update.average_price)
    if update.broker_order_id is not None:
        changes["broker_order_id"] = update.broker_order_id
    changes |= _reason(order, update, state)
    if update.clears_pending_action or state.is_terminal:
        changes["pending_action"] = None
    return order.model_copy(update=changes)


def _reason(order: Order, update: OrderUpdate, state: OrderState) -> dict[str, object]:
    """A reason explains the present state and goes with it.

    The one a cancellation was asked for with stands until that is answered, whatever the order does meanwhile, and stays when it
    is the answer.
    """
    is_over = update.clears_pending_action or state.is_terminal
    if order.pending_action is PendingAction.CANCEL and not is_over:
        return {}
    if update.reason_code is not None:
        return {"reason_code": update.reason_code, "reason": update.reason}
    is_asked_for = state is OrderState.CANCELLED and (
        order.pending_action is PendingAction.CANCEL or order.reason_code is ReasonCode.USER_CANCELLED
    )
    if is_asked_for or (state is order.state and not update.clears_pending_action):
        return {}
    return {"reason_code": None, "reason": None}
