"""What an order event says: its type and its body."""

from collections.abc import Sequence

from vyomo_contracts.orders import Fill, Order


def event_type(before: Order | None, after: Order) -> str:
    """`order.accepted`, `order.filled`, `order.cancel_requested`, ...: what happened, in the past tense of the state it led to."""
    if before is None:
        return "order.denied" if after.state.is_terminal else "order.accepted"
    if after.pending_action is not None and before.pending_action is not after.pending_action:
        return f"order.{after.pending_action.lower()}_requested"
    if before.state is after.state and before.filled_quantity == after.filled_quantity:
        return "order.modified" if _changed_terms(before, after) else "order.updated"
    return f"order.{after.state.lower()}"


def _changed_terms(before: Order, after: Order) -> bool:
    return any(
        getattr(before, name) != getattr(after, name)
        for name in ("quantity", "price", "trigger_price", "order_type", "validity")
    )


def event_body(order: Order, fills: Sequence[Fill]) -> str:
    """`{"order": snapshot, "fills": [...]}` as JSON text; absent values are left out."""
    snapshots = ",".join(fill.model_dump_json(exclude_none=True) for fill in fills)
    return f'{{"order":{order.model_dump_json(exclude_none=True)},"fills":[{snapshots}]}}'
