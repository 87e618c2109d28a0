"""What holds whatever a broker says, in whatever order and however often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.lifecycle import Applied, Increment, OrderUpdate, apply
from vyomo_contracts.money import to_price
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import OrderState

S = OrderState
ENDS = (S.CANCELLED, S.EXPIRED, S.REJECTED)
RANK = {
    S.NEW: 0,
    S.SUBMITTING: 1,
    S.UNCONFIRMED: 2,
    S.ACKNOWLEDGED: 3,
    S.TRIGGER_PENDING: 4,
    S.OPEN: 5,
    S.PARTIALLY_FILLED: 6,
}
LEGAL_STEPS_BACK = {(S.SUBMITTING, S.NEW), (S.OPEN, S.TRIGGER_PENDING)}

paise = st.integers(min_value=5, max_value=10_000_000).map(lambda value: Decimal(value) / 100)


@dataclass(frozen=True)
class Run:
    """What came of a sequence of updates."""

    order: Order
    snapshots: tuple[Order, ...]
    increments: tuple[Increment, ...]


def run(order: Order, updates: Sequence[OrderUpdate]) -> Run:
    snapshots, increments = [order], list[Increment]()
    for update in updates:
        result = apply(snapshots[-1], update)
        if isinstance(result, Applied):
            snapshots.append(result.order)
            if result.increment is not None:
                increments.append(result.increment)
    return Run(snapshots[-1], tuple(snapshots), tuple(increments))


@st.composite
def any_update(draw: st.DrawFn) -> OrderUpdate:
    """Anything at all, true or not."""
    return OrderUpdate(
        state=draw(st.sampled_from(OrderState)),
        at=NOON + timedelta(seconds=draw(st.integers(-5, 50))),
        filled_quantity=draw(st.none() | st.integers(0, 12)),
        average_price=draw(st.none() | paise | st.just(Decimal(0))),
        broker_order_id=draw(st.none() | st.sampled_from(["B1", "B2"])),
        reason_code=draw(
            st.none() | st.sampled_from([ReasonCode.NOT_FOUND_AT_BROKER, ReasonCode.BROKER_REFUSED])
        ),
        modified=draw(st.none() | st.fixed_dictionaries({"quantity": st.integers(1, 15)})),
        clears_pending_action=draw(st.booleans()),
    )


@st.composite
def broker_story(draw: st.DrawFn) -> list[OrderUpdate]:
    """What a broker that makes no mistakes says of one order of 10: cumulative fills, then perhaps an end, then late fills."""
    trades = draw(st.lists(st.tuples(st.integers(1, 4), paise), max_size=6))
    late = draw(st.integers(0, 2))
    words = draw(st.sampled_from([(S.OPEN,), (S.ACKNOWLEDGED, S.OPEN), (S.TRIGGER_PENDING, S.OPEN), ()]))
    said: list[tuple[OrderState, int, Decimal]] = [(state, 0, Decimal(0)) for state in words]
    filled, value = 0, Decimal(0)
    end = draw(st.sampled_from([*ENDS, None]))
    cut = len(trades) - late if end in {S.CANCELLED, S.EXPIRED} else len(trades)
    for place, (quantity, price) in enumerate(trades):
        if place == max(cut, 0) and end is not None and filled < 10:
            said.append((end, filled, value / filled if filled else Decimal(0)))
            end = None
        if filled + quantity > 10:
            break
        filled, value = filled + quantity, value + quantity * price
        said.append((S.FILLED if filled == 10 else S.PARTIALLY_FILLED, filled, value / filled))
    if end is not None and filled < 10:
        said.append((end, filled, value / filled if filled else Decimal(0)))
    return [
        OrderUpdate(
            state=state,
            at=NOON + timedelta(seconds=second),
            filled_quantity=quantity,
            average_price=average,
            broker_order_id="B1",
        )
        for second, (state, quantity, average) in enumerate(said, start=1)
    ]


@given(st.sampled_from(OrderState), st.lists(any_update(), max_size=12))
def test_whatever_is_said_versions_rise_by_one_and_fills_never_fall(
    start: OrderState, updates: list[OrderUpdate]
) -> None:
    snapshots = run(sample_order(start), updates).snapshots

    for before, after in pairwise(snapshots):
        assert after.version == before.version + 1
        assert after.filled_quantity >= before.filled_quantity
        assert after.updated_at >= before.updated_at
        assert after.filled_quantity <= after.quantity


@given(st.sampled_from(OrderState), st.lists(any_update(), max_size=12))
def test_whatever_is_said_the_state_agrees_with_the_fills(
    start: OrderState, updates: list[OrderUpdate]
) -> None:
    for snapshot in run(sample_order(start), updates).snapshots:
        is_complete = snapshot.filled_quantity == snapshot.quantity
        assert (snapshot.state is S.FILLED) is is_complete
        if snapshot.state is S.PARTIALLY_FILLED:
            assert snapshot.filled_quantity > 0
        if snapshot.filled_quantity > 0:
            assert snapshot.state in {S.PARTIALLY_FILLED, S.FILLED, *ENDS}
        assert Order.model_validate_json(snapshot.model_dump_json()) == snapshot


@given(st.sampled_from(OrderState), st.lists(any_update(), max_size=12))
def test_whatever_is_said_a_state_steps_back_only_where_that_is_legal(
    start: OrderState, updates: list[OrderUpdate]
) -> None:
    snapshots = run(sample_order(start), updates).snapshots

    for before, after in pairwise(snapshots):
        if before.state is after.state or (before.state, after.state) in LEGAL_STEPS_BACK:
            continue
        if before.state is S.REJECTED:
            assert before.reason_code is ReasonCode.NOT_FOUND_AT_BROKER
        elif before.state.is_terminal:
            assert after.state is S.FILLED
        else:
            assert RANK.get(after.state, 7) > RANK[before.state]


@given(st.sampled_from(OrderState), st.lists(any_update(), max_size=6))
def test_whatever_is_said_saying_it_again_changes_nothing(
    start: OrderState, updates: list[OrderUpdate]
) -> None:
    plain = [update for update in updates if not update.modified]

    order = run(sample_order(start), plain).order
    repeated = run(sample_order(start), [update for update in plain for _ in range(2)]).order

    assert repeated == order


@given(broker_story(), st.data())
def test_any_order_of_a_brokers_updates_with_repeats_ends_the_same(
    story: list[OrderUpdate], data: st.DataObject
) -> None:
    sent = sample_order(S.SUBMITTING)
    repeats = data.draw(st.lists(st.sampled_from(story), max_size=4)) if story else []
    shuffled = data.draw(st.permutations(story + repeats))

    told_in_order = run(sent, story).order
    told_anyhow = run(sent, shuffled).order

    compared = ("state", "filled_quantity", "average_price", "broker_order_id", "quantity")
    assert {name: getattr(told_anyhow, name) for name in compared} == {
        name: getattr(told_in_order, name) for name in compared
    }


@given(broker_story())
def test_increments_add_up_to_the_filled_value(story: list[OrderUpdate]) -> None:
    result = run(sample_order(S.SUBMITTING), story)

    assert sum(increment.quantity for increment in result.increments) == result.order.filled_quantity
    value = sum((each.quantity * each.price for each in result.increments), Decimal(0))
    # Each price is rounded to a hundredth of a paisa, so each unit may be off by half of one.
    assert abs(value - result.order.filled_value) <= result.order.filled_quantity * Decimal("0.00005")


@given(st.lists(st.tuples(st.integers(1, 3), paise), min_size=1, max_size=3))
def test_increments_are_the_trades_exactly_where_the_average_is_exact(
    trades: list[tuple[int, Decimal]],
) -> None:
    updates, filled, value, exact = list[OrderUpdate](), 0, Decimal(0), list[Increment]()
    for quantity, price in trades:
        if (
            to_price((value + quantity * price) / (filled + quantity)) * (filled + quantity)
            != value + quantity * price
        ):
            continue
        filled, value = filled + quantity, value + quantity * price
        exact.append(Increment(quantity, to_price(price)))
        updates.append(
            OrderUpdate(state=S.OPEN, at=NOON, filled_quantity=filled, average_price=value / filled)
        )

    result = run(sample_order(S.OPEN), updates)

    assert list(result.increments) == exact
    assert sum(each.quantity * each.price for each in result.increments) == value
