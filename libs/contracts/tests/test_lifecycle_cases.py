"""Worked cases: what brokers really do, one by one."""

from datetime import timedelta
from decimal import Decimal

import pytest

from vyomo_contracts.lifecycle import Applied, Duplicate, Illegal, Increment, OrderUpdate, Stale, apply
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import OrderState, OrderType, PendingAction

LATER = NOON + timedelta(seconds=1)


def told(
    state: OrderState,
    filled: int | None = None,
    average: str | None = None,
    *,
    modified: dict[str, object] | None = None,
    broker_order_id: str | None = None,
    reason_code: ReasonCode | None = None,
    clears_pending_action: bool = False,
    seconds: int = 1,
) -> OrderUpdate:
    return OrderUpdate(
        state=state,
        at=NOON + timedelta(seconds=seconds),
        filled_quantity=filled,
        average_price=None if average is None else Decimal(average),
        modified=modified,
        broker_order_id=broker_order_id,
        reason_code=reason_code,
        clears_pending_action=clears_pending_action,
    )


def applied(order: Order, update: OrderUpdate) -> Applied:
    result = apply(order, update)
    assert isinstance(result, Applied), result
    return result


def test_cumulative_fills_become_increments_at_their_own_price() -> None:
    first = applied(sample_order(OrderState.OPEN), told(OrderState.OPEN, 4, "250.00"))
    second = applied(first.order, told(OrderState.OPEN, 10, "250.60"))

    assert first.increment == Increment(4, Decimal("250.0000"))
    assert first.order.state is OrderState.PARTIALLY_FILLED
    # 10 x 250.60 - 4 x 250.00 = 1506, over 6
    assert second.increment == Increment(6, Decimal("251.0000"))
    assert (second.order.state, second.order.average_price) == (OrderState.FILLED, Decimal("250.6000"))


def test_average_that_paise_rounding_made_too_small_gives_no_negative_price() -> None:
    order = sample_order(OrderState.OPEN, quantity=200_000)
    known = applied(order, told(OrderState.OPEN, 100_000, "0.06")).order

    result = applied(known, told(OrderState.OPEN, 100_001, "0.05"))

    assert result.increment == Increment(1, Decimal("0.0000"))


def test_average_of_many_places_is_kept_as_the_column_keeps_it() -> None:
    result = applied(sample_order(OrderState.OPEN), told(OrderState.OPEN, 3, "250.33333333"))

    assert str(result.order.average_price) == "250.3333"
    assert Order.model_validate_json(result.order.model_dump_json()) == result.order


@pytest.mark.parametrize("average", [None, "0"])
def test_fill_without_a_price_is_illegal(average: str | None) -> None:
    result = apply(sample_order(OrderState.OPEN), told(OrderState.OPEN, 3, average))

    assert isinstance(result, Illegal)


def test_overfill_is_illegal() -> None:
    assert isinstance(apply(sample_order(OrderState.OPEN), told(OrderState.FILLED, 11, "250")), Illegal)


@pytest.mark.parametrize("filled", [None, 0, 9])
def test_complete_with_less_than_the_quantity_is_illegal(filled: int | None) -> None:
    average = "250" if filled else None

    assert isinstance(apply(sample_order(OrderState.OPEN), told(OrderState.FILLED, filled, average)), Illegal)


def test_complete_word_that_comes_with_the_smaller_quantity_of_a_modification_fills() -> None:
    update = told(OrderState.FILLED, 6, "250", modified={"quantity": 6})

    result = applied(sample_order(OrderState.OPEN), update)

    assert (result.order.state, result.order.quantity) == (OrderState.FILLED, 6)


def test_modification_down_to_what_is_filled_completes_the_order() -> None:
    result = applied(
        sample_order(OrderState.PARTIALLY_FILLED), told(OrderState.OPEN, modified={"quantity": 5})
    )

    assert (result.order.state, result.increment) == (OrderState.FILLED, None)


def test_rejection_after_acknowledgement_is_normal() -> None:
    acknowledged = sample_order(OrderState.ACKNOWLEDGED, broker_order_id="B1")

    result = applied(acknowledged, told(OrderState.REJECTED, reason_code=ReasonCode.BROKER_REFUSED))

    assert (result.order.state, result.order.reason_code) == (
        OrderState.REJECTED,
        ReasonCode.BROKER_REFUSED,
    )


def test_fill_on_a_rejected_order_is_illegal() -> None:
    rejected = sample_order(OrderState.REJECTED, reason_code=ReasonCode.BROKER_REFUSED)

    assert isinstance(apply(rejected, told(OrderState.PARTIALLY_FILLED, 3, "250")), Illegal)
    assert isinstance(apply(rejected, told(OrderState.FILLED, 10, "250")), Illegal)


def test_rejection_that_denies_known_fills_is_illegal() -> None:
    order = sample_order(OrderState.PARTIALLY_FILLED)

    assert isinstance(apply(order, told(OrderState.REJECTED, 0)), Illegal)


@pytest.mark.parametrize("ended", [OrderState.CANCELLED, OrderState.EXPIRED])
@pytest.mark.parametrize("said", [OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.TRIGGER_PENDING])
def test_late_part_fill_raises_the_quantity_and_keeps_the_end(ended: OrderState, said: OrderState) -> None:
    result = applied(sample_order(ended), told(said, 4, "250"))

    assert (result.order.state, result.order.filled_quantity) == (ended, 4)
    assert result.increment == Increment(4, Decimal("250.0000"))


@pytest.mark.parametrize("ended", [OrderState.CANCELLED, OrderState.EXPIRED])
@pytest.mark.parametrize("said", [OrderState.OPEN, OrderState.CANCELLED, OrderState.FILLED])
def test_late_fills_that_complete_the_quantity_fill_the_order(ended: OrderState, said: OrderState) -> None:
    result = applied(sample_order(ended), told(said, 10, "250"))

    assert result.order.state is OrderState.FILLED


def test_late_fill_under_the_other_word_for_ended_still_counts() -> None:
    result = applied(sample_order(OrderState.CANCELLED), told(OrderState.EXPIRED, 4, "250"))

    assert (result.order.state, result.order.filled_quantity) == (OrderState.CANCELLED, 4)


def test_cancellation_that_arrives_after_a_later_fill_ends_the_order_and_keeps_the_fill() -> None:
    result = applied(sample_order(OrderState.PARTIALLY_FILLED), told(OrderState.CANCELLED, 3, "250"))

    assert (result.order.state, result.order.filled_quantity, result.increment) == (
        OrderState.CANCELLED,
        5,
        None,
    )


def test_partly_filled_order_at_a_new_trigger_stays_partly_filled() -> None:
    result = applied(sample_order(OrderState.PARTIALLY_FILLED), told(OrderState.TRIGGER_PENDING, 7, "250"))

    assert (result.order.state, result.order.filled_quantity) == (OrderState.PARTIALLY_FILLED, 7)


def test_smaller_fill_than_known_is_stale() -> None:
    order = sample_order(OrderState.PARTIALLY_FILLED)

    assert isinstance(apply(order, told(OrderState.OPEN, 2, "250")), Stale)
    assert isinstance(apply(order, told(OrderState.OPEN, 0)), Stale)


def test_older_trigger_pending_after_open_is_stale_and_newer_is_a_modification_to_a_stop() -> None:
    order = sample_order(OrderState.OPEN)

    assert isinstance(apply(order, told(OrderState.TRIGGER_PENDING, seconds=-1)), Stale)
    assert applied(order, told(OrderState.TRIGGER_PENDING)).order.state is OrderState.TRIGGER_PENDING


def test_confirmed_modification_to_a_stop_is_applied_whatever_the_clock_says() -> None:
    update = told(
        OrderState.TRIGGER_PENDING,
        modified={"order_type": OrderType.SL, "trigger_price": Decimal(251)},
        clears_pending_action=True,
        seconds=-1,
    )
    order = sample_order(OrderState.OPEN, pending_action=PendingAction.MODIFY)

    result = applied(order, update)

    assert (result.order.order_type, result.order.trigger_price) == (OrderType.SL, Decimal(251))
    assert result.order.pending_action is None
    assert result.order.updated_at == NOON


def test_answer_after_the_stream_adds_the_brokers_id_and_keeps_the_state() -> None:
    result = applied(
        sample_order(OrderState.PARTIALLY_FILLED), told(OrderState.ACKNOWLEDGED, broker_order_id="B1")
    )

    assert (result.order.state, result.order.broker_order_id) == (OrderState.PARTIALLY_FILLED, "B1")


def test_second_broker_id_for_one_order_is_illegal() -> None:
    order = sample_order(OrderState.OPEN, broker_order_id="B1")

    assert isinstance(apply(order, told(OrderState.OPEN, broker_order_id="B2")), Illegal)
    assert isinstance(apply(order, told(OrderState.OPEN, broker_order_id="B1")), Duplicate)


def test_order_found_after_all_is_reopened_and_forgets_why_it_was_given_up() -> None:
    given_up = sample_order(
        OrderState.REJECTED, reason_code=ReasonCode.NOT_FOUND_AT_BROKER, reason="absent after 120 s"
    )

    found = applied(given_up, told(OrderState.OPEN, 0, broker_order_id="B1")).order
    again = apply(found, told(OrderState.REJECTED))

    assert (found.state, found.reason_code, found.reason) == (OrderState.OPEN, None, None)
    assert isinstance(again, Applied)
    assert isinstance(apply(again.order, told(OrderState.OPEN)), Stale)


def test_unconfirmed_order_that_is_found_forgets_the_unknown_outcome() -> None:
    unknown = sample_order(
        OrderState.UNCONFIRMED, reason_code=ReasonCode.OUTCOME_UNKNOWN, reason="read timeout"
    )

    found = applied(unknown, told(OrderState.FILLED, 10, "250")).order

    assert (found.state, found.reason_code, found.reason) == (OrderState.FILLED, None, None)


def test_end_of_an_order_closes_its_pending_action() -> None:
    order = sample_order(OrderState.OPEN, pending_action=PendingAction.CANCEL)

    assert applied(order, told(OrderState.FILLED, 10, "250")).order.pending_action is None


def test_refused_change_is_told_without_a_change_of_state() -> None:
    order = sample_order(OrderState.OPEN, pending_action=PendingAction.CANCEL)
    update = told(OrderState.OPEN, reason_code=ReasonCode.BROKER_REFUSED, clears_pending_action=True)

    result = applied(order, update)

    assert (result.order.pending_action, result.order.reason_code) == (None, ReasonCode.BROKER_REFUSED)
    assert result.order.version == order.version + 1


@pytest.mark.parametrize(
    ("asked_in", "meanwhile"),
    [
        (OrderState.SUBMITTING, told(OrderState.ACKNOWLEDGED, broker_order_id="B1")),
        (OrderState.SUBMITTING, told(OrderState.UNCONFIRMED, reason_code=ReasonCode.OUTCOME_UNKNOWN)),
        (OrderState.UNCONFIRMED, told(OrderState.OPEN, 0, broker_order_id="B1")),
        (OrderState.OPEN, told(OrderState.PARTIALLY_FILLED, 4, "250")),
    ],
)
def test_reason_of_a_cancellation_outlives_what_happens_until_it_is_answered(
    asked_in: OrderState, meanwhile: OrderUpdate
) -> None:
    order = sample_order(
        asked_in,
        pending_action=PendingAction.CANCEL,
        reason_code=ReasonCode.USER_CANCELLED,
        reason="changed my mind",
    )

    moved = applied(order, meanwhile).order
    cancelled = applied(moved, told(OrderState.CANCELLED, moved.filled_quantity or None)).order

    for each in (moved, cancelled):
        assert (each.reason_code, each.reason) == (ReasonCode.USER_CANCELLED, "changed my mind")


def test_order_that_a_halt_cancelled_says_so() -> None:
    order = sample_order(
        OrderState.OPEN,
        pending_action=PendingAction.CANCEL,
        reason_code=ReasonCode.TRADING_HALTED,
        reason="trading is halted: enough",
    )

    cancelled = applied(order, told(OrderState.CANCELLED)).order

    assert (cancelled.reason_code, cancelled.reason) == (
        ReasonCode.TRADING_HALTED,
        "trading is halted: enough",
    )


def test_reason_of_a_cancellation_that_lost_the_race_is_forgotten() -> None:
    order = sample_order(
        OrderState.OPEN, pending_action=PendingAction.CANCEL, reason_code=ReasonCode.USER_CANCELLED
    )

    assert applied(order, told(OrderState.FILLED, 10, "250")).order.reason_code is None


def test_cancellation_nobody_asked_for_does_not_wear_an_older_reason() -> None:
    refused_change = sample_order(
        OrderState.OPEN, reason_code=ReasonCode.BROKER_REFUSED, reason="OrderNotOpen: modify refused"
    )

    cancelled = applied(refused_change, told(OrderState.CANCELLED)).order

    assert (cancelled.reason_code, cancelled.reason) == (None, None)


def test_cancellation_does_not_inherit_a_reason_it_was_not_asked_for_with() -> None:
    working = sample_order(OrderState.OPEN, reason_code=ReasonCode.OUTCOME_UNKNOWN, reason="no trace of it")

    cancelled = applied(working, told(OrderState.CANCELLED)).order

    assert (cancelled.reason_code, cancelled.reason) == (None, None)


def test_cancellation_asked_for_before_the_broker_answered_keeps_its_reason() -> None:
    order = sample_order(
        OrderState.SUBMITTING,
        pending_action=PendingAction.CANCEL,
        reason_code=ReasonCode.TRADING_HALTED,
        reason="drill",
    )

    acknowledged = applied(order, told(OrderState.ACKNOWLEDGED, broker_order_id="B1")).order
    cancelled = applied(acknowledged, told(OrderState.CANCELLED, seconds=2)).order
    filled = applied(acknowledged, told(OrderState.FILLED, order.quantity, "100", seconds=2)).order

    for each in (acknowledged, cancelled):
        assert (each.reason_code, each.reason) == (ReasonCode.TRADING_HALTED, "drill")
    assert (filled.reason_code, filled.reason) == (None, None)
