"""What the book says of a cancellation or modification whose answer is open. Pure.

A cancellation is settled by the order's end, a modification by the terms it asked for. When the call is over for sure and the book
still shows neither, it did not happen as far as anyone can see: it is given up, with a reason, and the order stays as it is.
"""

from vyomo_broker_kit.port import BookEntry
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import PendingAction

_SHOWN = ("quantity", "price", "trigger_price")
"""The terms a modification may ask for that every book shows."""


def is_carried_out(order: Order, changes: OrderModification | None, entry: BookEntry) -> bool:
    """True when the book shows the end of the order, or the terms that were asked for."""
    if entry.state.is_terminal:
        return True
    if order.pending_action is not PendingAction.MODIFY or changes is None:
        return False
    asked = {name: value for name in _SHOWN if (value := getattr(changes, name)) is not None}
    return bool(asked) and all(getattr(entry, name) == value for name, value in asked.items())


def given_up(order: Order) -> tuple[ReasonCode, str]:
    action = "cancellation" if order.pending_action is PendingAction.CANCEL else "modification"
    return ReasonCode.OUTCOME_UNKNOWN, f"the broker gave no answer to the {action} and shows no trace of it"
