"""Which row of a broker's book is which order of ours. Pure.

By the broker's id where we know it; else by our tag, and then only a row that is what we sent: same instrument, side and quantity.
Never by looks alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vyomo_broker_kit.port import BookEntry
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState


@dataclass(frozen=True, slots=True)
class Matches:
    pairs: list[tuple[Order, BookEntry]] = field(default_factory=list[tuple[Order, BookEntry]])
    absent: list[Order] = field(default_factory=list[Order])
    """Orders that no row stands for."""
    strangers: list[BookEntry] = field(default_factory=list[BookEntry])
    """Rows that are no order of ours."""
    surplus: list[tuple[Order, BookEntry]] = field(default_factory=list[tuple[Order, BookEntry]])
    """Rows that carry the tag of an order which another row stands for already: one order of ours, two of theirs."""
    misfits: list[tuple[Order, BookEntry]] = field(default_factory=list[tuple[Order, BookEntry]])
    """Rows that carry our tag and are not what we sent."""


def match_book(orders: Iterable[Order], entries: Sequence[BookEntry]) -> Matches:
    """`orders` are those the entries may be about; an entry about none of them is a stranger."""
    matches = Matches()
    unmatched = {entry.broker_order_id: entry for entry in entries}
    by_tag: dict[str, Order] = {}
    searched: list[Order] = []
    for order in orders:
        by_tag[order.broker_tag] = order
        if order.broker_order_id is None:
            searched.append(order)
        elif (entry := unmatched.pop(order.broker_order_id, None)) is not None:
            matches.pairs.append((order, entry))
        else:
            matches.absent.append(order)
    fitting: dict[str, list[BookEntry]] = {}
    for entry in unmatched.values():
        order = by_tag.get(entry.tag or "")
        if order is not None and order.broker_order_id is None and _fits(order, entry):
            fitting.setdefault(order.broker_tag, []).append(entry)
    for order in searched:
        candidates = fitting.get(order.broker_tag)
        if not candidates:
            matches.absent.append(order)
            continue
        # The same choice whoever makes it and however the book is sorted.
        entry = min(candidates, key=lambda each: (each.placed_at, each.broker_order_id))
        matches.pairs.append((order, unmatched.pop(entry.broker_order_id)))
    _sort_rest(matches, by_tag, unmatched.values())
    return matches


def lookalikes(matches: Matches) -> list[BookEntry]:
    """Strangers that may be an order of ours whose fate is open, its tag lost at the broker: not ours by looks alone, and not
    somebody else's either until ours is settled.
    """
    open_orders = [
        order
        for order in matches.absent
        if order.state in {OrderState.SUBMITTING, OrderState.UNCONFIRMED} and order.broker_order_id is None
    ]
    return [entry for entry in matches.strangers if any(_fits(order, entry) for order in open_orders)]


def _sort_rest(matches: Matches, by_tag: dict[str, Order], rest: Iterable[BookEntry]) -> None:
    for entry in rest:
        order = by_tag.get(entry.tag or "")
        if order is None:
            matches.strangers.append(entry)
        elif _fits(order, entry) or order.broker_order_id is not None:
            matches.surplus.append((order, entry))
        else:
            matches.misfits.append((order, entry))


def _fits(order: Order, entry: BookEntry) -> bool:
    return (order.exchange, order.symbol, order.transaction_type, order.quantity) == (
        entry.exchange,
        entry.symbol,
        entry.transaction_type,
        entry.quantity,
    )
