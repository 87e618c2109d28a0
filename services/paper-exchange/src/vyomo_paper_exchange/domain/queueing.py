"""Waiting for liquidity: what a resting limit order trades between two snapshots (market.md §4.2(b)).

Depth and volume are all the market shows, so a place in the queue is an estimate. On arrival everything displayed at the price is
ahead. Volume at the price is taken from the front. A shrinking level beyond what traded is cancellations, of which a share by the
logarithm of each part was ahead. A trade through the price, or an opposite quote at it, fills what volume there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from vyomo_contracts.vocabulary import TransactionType
from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.matching import (
    QUEUE_BASIS,
    Execution,
    is_within,
    opposite_levels,
    own_levels,
)


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """An order's estimated place: units before it and the level's size when last seen; None while its level was never shown."""

    ahead: int | None = None
    displayed: int = 0


FRONT = QueuePlace(ahead=0)
UNPLACED = QueuePlace()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A resting order as far as the queue is concerned."""

    side: TransactionType
    quantity: int
    price: Decimal
    place: QueuePlace


@dataclass(frozen=True, slots=True)
class Waited:
    """What one snapshot brought a resting order."""

    execution: Execution | None
    place: QueuePlace
    from_depth: int = 0
    """Of the execution, units that came from the displayed opposite side; the rest came from traded volume."""


def joined(snapshot: Snapshot, side: TransactionType, price: Decimal) -> QueuePlace:
    """The place of an order that starts resting at `price` now: behind everything displayed there."""
    displayed = _displayed(snapshot, side, price)
    return QueuePlace() if displayed is None else QueuePlace(ahead=displayed, displayed=displayed)


def wait(waiting: Waiting, snapshot: Snapshot, traded: int, taken: Mapping[Decimal, int]) -> Waited:
    """The fate of a resting order when `snapshot` shows `traded` units more than the previous one did.

    `traded` is what is left of the volume for this order, `taken` what other orders took of the opposite side.
    """
    side, price, last = waiting.side, waiting.price, snapshot.last_price
    reachable = _reachable(side, price, snapshot, taken)
    is_through = last != price and is_within(side, last, price)
    available = reachable + traded if is_through else reachable
    if available > 0:
        filled = min(waiting.quantity, available)
        place = QueuePlace(0, waiting.place.displayed)
        return Waited(Execution(price, filled, QUEUE_BASIS), place, from_depth=min(filled, reachable))
    return _advance(waiting, snapshot, traded if last == price else 0)


def _reachable(
    side: TransactionType, price: Decimal, snapshot: Snapshot, taken: Mapping[Decimal, int]
) -> int:
    """Displayed opposite units at or through the price that nobody took yet."""
    return sum(
        max(level.quantity - taken.get(level.price, 0), 0)
        for level in opposite_levels(snapshot, side)
        if is_within(side, level.price, price)
    )


def _advance(waiting: Waiting, snapshot: Snapshot, at_price: int) -> Waited:
    place, displayed = waiting.place, _displayed(snapshot, waiting.side, waiting.price)
    if place.ahead is None:
        return Waited(None, joined(snapshot, waiting.side, waiting.price))
    ahead = place.ahead - at_price
    if ahead < 0:
        execution = Execution(waiting.price, min(waiting.quantity, -ahead), QUEUE_BASIS)
        return Waited(execution, QueuePlace(0, displayed or 0))
    if displayed is None:
        return Waited(None, QueuePlace(ahead, place.displayed))
    cancelled = place.displayed - displayed - at_price
    if cancelled > 0:
        ahead -= cancelled * _share_ahead(ahead, place.displayed - ahead) // 100
    return Waited(None, QueuePlace(max(min(ahead, displayed), 0), displayed))


def _share_ahead(ahead: int, behind: int) -> int:
    """Percent of cancellations that were ahead of us; logarithms by bit length keep it whole and reproducible."""
    front, back = (1 + ahead).bit_length(), (1 + max(behind, 0)).bit_length()
    return 100 * front // (front + back)


def _displayed(snapshot: Snapshot, side: TransactionType, price: Decimal) -> int | None:
    """Units shown at `price` on the order's own side; 0 between levels or better than the best, None beyond the last level."""
    levels = own_levels(snapshot, side)
    if not levels:
        return None
    for level in levels:
        if level.price == price:
            return level.quantity
    is_beyond = price < levels[-1].price if side is TransactionType.BUY else price > levels[-1].price
    return None if is_beyond else 0
