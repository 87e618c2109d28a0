from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.vocabulary import TransactionType
from vyomo_paper_exchange.domain.market.book import Level
from vyomo_paper_exchange.domain.matching import (
    LEVELS_WALKED_MAX,
    NOTHING_TAKEN,
    Consumption,
    Execution,
    is_within,
    match,
)
from vyomo_paper_exchange.domain.queueing import FRONT, QueuePlace, Waiting, joined, wait
from vyomo_paper_exchange.testing import snapshot

BUY, SELL = TransactionType.BUY, TransactionType.SELL
TICK = Decimal("0.05")
ASKS = (Level(Decimal("100.05"), 10, 1), Level(Decimal("100.10"), 20, 1), Level(Decimal("100.15"), 30, 1))


def bought(quantity: int, limit: str, taken: dict[Decimal, int] | None = None) -> list[tuple[str, int]]:
    executions = match(BUY, quantity, Decimal(limit), ASKS, tick=TICK, taken=taken or NOTHING_TAKEN)
    return [(f"{price:f}", traded) for price, traded, _ in executions]


def test_market_order_walks_the_depth_best_price_first() -> None:
    assert bought(25, "101") == [("100.05", 10), ("100.10", 15)]


def test_limit_stops_the_walk() -> None:
    assert bought(100, "100.10") == [("100.05", 10), ("100.10", 20)]


def test_order_beyond_the_last_level_meets_one_more_tick_of_the_same_size() -> None:
    assert bought(100, "101")[3:] == [("100.20", 30), ("100.25", 10)]


def test_taken_units_are_gone() -> None:
    assert bought(25, "101", {Decimal("100.05"): 10, Decimal("100.10"): 15}) == [
        ("100.10", 5),
        ("100.15", 20),
    ]


def test_walk_is_limited_however_large_the_order() -> None:
    assert len(bought(10**9, "10000")) == LEVELS_WALKED_MAX


def test_draft_takes_nothing_until_it_is_merged() -> None:
    consumption = Consumption()
    draft = consumption.draft()
    draft.take("NSE:X", 5, BUY, (Execution(Decimal(100), 7, "depth"),))

    assert consumption.taken("NSE:X", 5, BUY) == {}
    consumption.merge(draft)
    assert consumption.taken("NSE:X", 5, BUY) == {Decimal(100): 7}
    assert consumption.taken("NSE:X", 6, BUY) == {}
    assert consumption.taken("NSE:X", 5, SELL) == {}


def test_second_draft_sees_what_the_first_one_left() -> None:
    consumption = Consumption()
    for _ in range(2):
        draft = consumption.draft()
        draft.take("NSE:X", 5, BUY, (Execution(Decimal(100), 7, "depth"),))
        consumption.merge(draft)

    assert consumption.taken("NSE:X", 5, BUY) == {Decimal(100): 14}


LEVELS = st.lists(st.integers(1, 500), min_size=1, max_size=5)


@given(
    sizes=LEVELS,
    side=st.sampled_from([BUY, SELL]),
    orders=st.lists(st.tuples(st.integers(1, 2_000), st.integers(-3, 30)), min_size=1, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_orders_never_trade_beyond_their_limit_or_the_same_unit_twice(
    sizes: list[int], side: TransactionType, orders: list[tuple[int, int]]
) -> None:
    levels = tuple(Level(100 + side.sign * TICK * depth, size, 1) for depth, size in enumerate(sizes))
    taken: dict[Decimal, int] = {}
    for quantity, ticks in orders:
        limit = 100 + side.sign * TICK * ticks
        executions = match(side, quantity, limit, levels, tick=TICK, taken=taken)
        assert sum(execution.quantity for execution in executions) <= quantity
        for price, traded, _ in executions:
            assert is_within(side, price, limit)
            taken[price] = taken.get(price, 0) + traded

    shown = {level.price: level.quantity for level in levels}
    assert all(units <= shown.get(price, sizes[-1]) for price, units in taken.items())


def resting(quantity: int, place: QueuePlace, price: str = "99.95") -> Waiting:
    return Waiting(BUY, quantity, Decimal(price), place)


BIDS = {"99.95": 100, "99.90": 200}
ASKS_SHOWN = {"100.00": 50, "100.05": 50}


def test_order_joins_behind_everything_displayed_at_its_price() -> None:
    assert joined(snapshot("100.00", BIDS, ASKS_SHOWN), BUY, Decimal("99.95")) == QueuePlace(100, 100)


def test_order_that_improves_the_best_price_has_nobody_ahead() -> None:
    shown = snapshot("100.00", {"99.90": 10}, {"100.05": 10})

    assert joined(shown, BUY, Decimal("99.95")) == QueuePlace(0, 0)


def test_order_behind_the_last_level_has_an_unknown_place() -> None:
    assert joined(snapshot("100.00", BIDS, ASKS_SHOWN), BUY, Decimal("99.00")) == QueuePlace()


def test_volume_at_the_price_moves_the_queue() -> None:
    waited = wait(
        resting(10, QueuePlace(100, 100)), snapshot("99.95", {"99.95": 60}, ASKS_SHOWN), 40, NOTHING_TAKEN
    )

    assert waited.execution is None
    assert waited.place == QueuePlace(60, 60)


def test_volume_beyond_the_queue_fills_in_part() -> None:
    waited = wait(resting(50, QueuePlace(30, 100)), snapshot("99.95", BIDS, ASKS_SHOWN), 40, NOTHING_TAKEN)

    assert waited.execution == Execution(Decimal("99.95"), 10, "queue")
    assert waited.place.ahead == 0


def test_volume_elsewhere_does_not_fill() -> None:
    waited = wait(resting(50, FRONT), snapshot("100.00", {"99.95": 0}, ASKS_SHOWN), 5_000, NOTHING_TAKEN)

    assert waited.execution is None


def test_cancellations_ahead_are_a_share_of_what_vanished() -> None:
    waited = wait(
        resting(10, QueuePlace(100, 200)), snapshot("100.00", {"99.95": 150}, ASKS_SHOWN), 0, NOTHING_TAKEN
    )

    assert waited.place == QueuePlace(75, 150)


def test_trade_through_the_price_fills_up_to_the_volume() -> None:
    through = snapshot("99.90", {"99.85": 10}, {"100.00": 5})
    waited = wait(resting(500, QueuePlace(100, 100)), through, 120, NOTHING_TAKEN)

    assert waited.execution == Execution(Decimal("99.95"), 120, "queue")


def test_opposite_quote_at_the_price_fills_what_it_shows_at_our_price() -> None:
    touched = snapshot("99.95", {"99.85": 10}, {"99.90": 30, "99.95": 30, "100.00": 30})
    waited = wait(resting(500, QueuePlace(100, 100)), touched, 0, {Decimal("99.90"): 10})

    assert waited.execution == Execution(Decimal("99.95"), 50, "queue")
    assert waited.from_depth == 50


@given(
    ahead=st.integers(0, 1_000),
    shown=st.integers(0, 1_000),
    traded=st.integers(0, 2_000),
    quantity=st.integers(1, 1_000),
    last=st.sampled_from(["99.90", "99.95", "100.00"]),
)
@settings(max_examples=150, deadline=None)
def test_queue_never_moves_back_and_never_fills_more_than_traded(
    ahead: int, shown: int, traded: int, quantity: int, last: str
) -> None:
    seen = snapshot(last, {"99.95": shown}, {"100.05": 10})
    waited = wait(resting(quantity, QueuePlace(ahead, 1_000)), seen, traded, NOTHING_TAKEN)

    assert waited.place.ahead is not None
    assert 0 <= waited.place.ahead <= ahead
    if waited.execution is not None:
        assert waited.execution.quantity <= min(quantity, traded)
