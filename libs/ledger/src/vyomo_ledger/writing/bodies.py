"""What is said of a change, as JSON text that is made once: the record keeps it and the bus carries it."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel

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


def text_of(model: BaseModel) -> str:
    """A snapshot or an event; absent values are left out."""
    return model.model_dump_json(exclude_none=True)


def event_body(order: Order, fills: Sequence[Fill]) -> str:
    """`{"order": snapshot, "fills": [...]}`, as the record keeps it."""
    return body_of(text_of(order), [text_of(fill) for fill in fills])


def body_of(order: str, fills: Sequence[str], superseded_fills: Sequence[str] = ()) -> str:
    """The same of texts; `superseded_fills` (trade ids) only where there are some."""
    gone = f',"superseded_fills":{orjson.dumps(superseded_fills).decode()}' if superseded_fills else ""
    return f'{{"order":{order},"fills":[{",".join(fills)}]{gone}}}'


def order_changed(body: str, *, sequence: int, horizon: int) -> str:
    """The `OrderChanged` of an event body. Resuming at the horizon is safe while other transactions are still open."""
    return f'{{"kind":"order","sequence":{sequence},"cursor":{min(sequence, horizon)},{body[1:]}'


def position_changed(position: str) -> str:
    return f'{{"kind":"position","position":{position}}}'


def funds_changed(funds: str) -> str:
    return f'{{"kind":"funds","funds":{funds}}}'


def risk_changed(decision: str, *, sequence: int, horizon: int) -> str:
    """The `RiskChanged` of a recorded decision."""
    return f'{{"kind":"risk","sequence":{sequence},"cursor":{min(sequence, horizon)},"decision":{decision}}}'
