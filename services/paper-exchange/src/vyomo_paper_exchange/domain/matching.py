"""Taking liquidity: an incoming order walks the displayed depth, and what others took of it is gone (market.md §4.2(b)).

Beyond the fifth level the book is assumed to go on one tick a level with the size of the fifth, up to the order's limit.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple

from vyomo_contracts.vocabulary import TransactionType
from vyomo_paper_exchange.domain.market.book import Level, Snapshot

DEPTH_BASIS: Final = "depth"
QUEUE_BASIS: Final = "queue"
LEVELS_WALKED_MAX: Final = 250
"""Levels one order may walk in one snapshot, real and assumed; the rest waits for the next one."""

NOTHING_TAKEN: Final[Mapping[Decimal, int]] = {}


class Execution(NamedTuple):
    price: Decimal
    quantity: int
    basis: str


def opposite_levels(snapshot: Snapshot, side: TransactionType) -> tuple[Level, ...]:
    """What an order of `side` trades against, best first."""
    return snapshot.asks if side is TransactionType.BUY else snapshot.bids


def own_levels(snapshot: Snapshot, side: TransactionType) -> tuple[Level, ...]:
    """Where an order of `side` rests, best first."""
    return snapshot.bids if side is TransactionType.BUY else snapshot.asks


def is_within(side: TransactionType, price: Decimal, limit: Decimal) -> bool:
    """True if an order limited at `limit` may trade at `price`."""
    return price <= limit if side is TransactionType.BUY else price >= limit


def match(
    side: TransactionType,
    quantity: int,
    limit: Decimal,
    levels: tuple[Level, ...],
    *,
    tick: Decimal,
    taken: Mapping[Decimal, int],
) -> tuple[Execution, ...]:
    """The trades of an order that arrives now: best price first, never beyond `limit`, never more than is left at a price."""
    executions: list[Execution] = []
    for price, displayed in islice(_ladder(side, levels, tick), LEVELS_WALKED_MAX):
        if quantity == 0 or not is_within(side, price, limit):
            break
        traded = min(quantity, displayed - taken.get(price, 0))
        if traded > 0:
            executions.append(Execution(price, traded, DEPTH_BASIS))
            quantity -= traded
    return tuple(executions)


def _ladder(side: TransactionType, levels: tuple[Level, ...], tick: Decimal) -> Iterator[tuple[Decimal, int]]:
    if not levels:
        return
    for level in levels:
        yield level.price, level.quantity
    price, quantity, _ = levels[-1]
    step = tick * side.sign
    while (price := price + step) > 0:
        yield price, quantity


class Consumption:
    """Liquidity already taken, per instrument, snapshot and price, so that no two orders trade the same units.

    A draft is worked on inside a transaction and merged once that committed; a failed transaction took nothing.
    """

    def __init__(self, committed: "Consumption | None" = None) -> None:
        self._committed = committed
        self._taken: dict[tuple[str, TransactionType], tuple[int, dict[Decimal, int]]] = {}

    def taken(self, key: str, snapshot: int, side: TransactionType) -> Mapping[Decimal, int]:
        """Units taken by orders of `side` from this snapshot, by price."""
        number, prices = self._taken.get((key, side), (-1, NOTHING_TAKEN))
        if number == snapshot:
            return prices
        return self._committed.taken(key, snapshot, side) if self._committed else NOTHING_TAKEN

    def take(self, key: str, snapshot: int, side: TransactionType, executions: tuple[Execution, ...]) -> None:
        if not executions:
            return
        number, prices = self._taken.get((key, side), (-1, {}))
        if number != snapshot:
            prices = dict(self._committed.taken(key, snapshot, side)) if self._committed else {}
            self._taken[key, side] = (snapshot, prices)
        for price, quantity, _ in executions:
            prices[price] = prices.get(price, 0) + quantity

    def own(self) -> Mapping[tuple[str, TransactionType], tuple[int, dict[Decimal, int]]]:
        """What this draft noted itself, by instrument and side: (snapshot, units by price)."""
        return self._taken

    def draft(self) -> "Consumption":
        return Consumption(committed=self)

    def merge(self, draft: "Consumption") -> None:
        """Accept what a committed draft took."""
        self._taken.update(draft.own())
