from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    OrderState,
    OrderType,
    PendingAction,
    Product,
    TransactionType,
    Validity,
)
from vyomo_paper_exchange.domain.accounts import GroupKey
from vyomo_paper_exchange.domain.execution import Outcome
from vyomo_paper_exchange.domain.sessions import MarketHours
from vyomo_paper_exchange.domain.waiting import Change, Filled, Moved, Triggered, look
from vyomo_paper_exchange.domain.working import RestingOrders
from vyomo_paper_exchange.testing import ACCOUNT, MatchingWorld, before_a_move, recorded

SELL = TransactionType.SELL
RELIANCE = "NSE:RELIANCE"


@pytest.fixture
def world() -> MatchingWorld:
    return MatchingWorld()


def go_before_a_fall(world: MatchingWorld) -> None:
    """Move to a moment after which RELIANCE loses a fifth of a percent within twenty minutes."""
    world.clock.at = before_a_move(world.market, world.listings[RELIANCE], Decimal("-0.002"))
    world.next_round()


def test_market_order_fills_at_once_from_the_depth(world: MatchingWorld) -> None:
    ask = world.round.view.snapshot(world.listings[RELIANCE]).asks[0]

    outcome = world.place(world.order(quantity=10))

    order = recorded(outcome)
    assert (order.state, order.filled_quantity, order.average_price) == (OrderState.FILLED, 10, ask.price)
    assert [(fill.trade_id, fill.quantity, fill.basis) for fill in outcome.fills] == [
        (f"{order.order_id}-1", 10, "depth")
    ]
    assert world.book.positions[GroupKey(order.exchange, "RELIANCE", Product.MIS)].quantity == 10


def test_large_market_order_walks_the_levels_and_pays_more(world: MatchingWorld) -> None:
    shown = world.round.view.snapshot(world.listings[RELIANCE])
    wanted = sum(level.quantity for level in shown.asks) + 1

    outcome = world.place(world.order(quantity=wanted, product=Product.MIS))
    assert outcome.update.reason_code is ReasonCode.MARGIN_INSUFFICIENT

    world.capital = None
    world.book.account = world.book.account.__class__(
        account_id=ACCOUNT, user_id="asha", capital=None, day=world.round.view.day
    )
    outcome = world.place(world.order(quantity=wanted))
    assert recorded(outcome).state is OrderState.FILLED
    assert len(outcome.fills) == 6
    assert recorded(outcome).average_price > shown.asks[0].price


def test_two_orders_never_share_the_same_units(world: MatchingWorld) -> None:
    first_level = world.round.view.snapshot(world.listings[RELIANCE]).asks[0].quantity
    world.place(world.order(quantity=first_level, product=Product.MIS))

    outcome = world.place(world.order(quantity=1))

    assert outcome.fills[0].price > world.round.view.snapshot(world.listings[RELIANCE]).asks[0].price


def test_passive_limit_order_rests_open_behind_the_queue(world: MatchingWorld) -> None:
    bid = world.round.view.snapshot(world.listings[RELIANCE]).bids[1]

    outcome = world.place(world.order(order_type=OrderType.LIMIT, price=bid.price))

    assert recorded(outcome).state is OrderState.OPEN
    assert world.round.changed[outcome.order.order_id].place.ahead == bid.quantity


def test_ioc_remainder_is_cancelled_and_fills_are_kept(world: MatchingWorld) -> None:
    ask = world.round.view.snapshot(world.listings[RELIANCE]).asks[0]

    outcome = world.place(
        world.order(
            order_type=OrderType.LIMIT, price=ask.price, quantity=ask.quantity + 5, validity=Validity.IOC
        )
    )

    order = recorded(outcome)
    assert (order.state, order.filled_quantity) == (OrderState.CANCELLED, ask.quantity)
    assert order.reason_code is ReasonCode.IOC_REMAINDER


def test_ioc_order_that_fills_is_filled(world: MatchingWorld) -> None:
    assert recorded(world.place(world.order(validity=Validity.IOC))).state is OrderState.FILLED


def test_market_remainder_rests_at_the_protection_price() -> None:
    world = MatchingWorld(capital=None)
    outcome = world.place(world.order("NSE:NIFTY", quantity=10_000_000))

    order = recorded(outcome)
    assert order.state is OrderState.PARTIALLY_FILLED
    protection = world.round.changed[order.order_id].protection_price
    assert protection is not None
    # 0.5 % above the last price.
    assert protection <= world.last_price("NSE:NIFTY") * Decimal("1.00501")
    assert all(fill.price <= protection for fill in outcome.fills)


def test_stop_waits_and_becomes_a_limit_order_that_stays_one(world: MatchingWorld) -> None:
    world.clock.at = before_a_move(world.market, world.listings[RELIANCE], Decimal("0.002"))
    world.next_round()
    trigger, price = world.limit(3).price, world.limit(40).price
    placed = world.place(world.order(order_type=OrderType.SL, trigger_price=trigger, price=price))
    assert recorded(placed).state is OrderState.TRIGGER_PENDING

    working, order = world.round.changed[placed.order.order_id], recorded(placed)
    resting = RestingOrders()
    resting.put(working)
    changes: list[Change] = []
    while not changes:
        world.clock.move(seconds=1)
        snapshot = world.next_round().view.snapshot(world.listings[RELIANCE])
        changes = list(look(resting, world.listings[RELIANCE], snapshot, world.consumption.draft()))
        assert (changes == [Triggered(working)]) == (snapshot.last_price >= trigger)
        resting.note_seen(RELIANCE, snapshot)

    world.round.trigger(order, working)

    after = world.round.changed[order.order_id]
    assert not after.is_waiting_stop
    assert recorded(world.round.outcomes[-1]).state in {
        OrderState.FILLED,
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
    }


def test_resting_order_trades_when_the_market_comes_to_it(world: MatchingWorld) -> None:
    go_before_a_fall(world)
    placed = world.place(world.limit(-3, quantity=500))
    order, working = recorded(placed), world.round.changed[placed.order.order_id]
    resting = RestingOrders()
    resting.put(working)
    filled = 0
    for _ in range(8_000):
        world.clock.move(milliseconds=250)
        view = world.next_round().view
        snapshot = view.snapshot(world.listings[RELIANCE])
        for change in list(look(resting, world.listings[RELIANCE], snapshot, world.consumption.draft())):
            if isinstance(change, Moved):
                resting.put(change.after)
            elif isinstance(change, Filled):
                world.round.fill_waiting(order, change.known, change.execution, change.place)
                outcome = world.round.outcomes[-1]
                order = recorded(outcome)
                resting.put(world.round.changed[order.order_id])
                assert all(fill.price == working.limit and fill.basis == "queue" for fill in outcome.fills)
                filled += sum(fill.quantity for fill in outcome.fills)
        if len(resting) == 0:
            break
        resting.note_seen(RELIANCE, snapshot)

    assert (order.state, filled, order.average_price) == (OrderState.FILLED, 500, working.limit)
    assert world.book.positions[working.group].quantity == 500


def modified(world: MatchingWorld, placed: Outcome, **fields: object) -> Order:
    order = recorded(placed).model_copy(update={"pending_action": PendingAction.MODIFY, "version": 3})
    world.round.modify(order, OrderModification.model_validate(fields))
    return recorded(world.round.outcomes[-1])


def test_modified_price_that_crosses_trades_at_once(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))

    order = modified(world, placed, price=world.limit(30).price)

    assert (order.state, order.pending_action, order.price) == (
        OrderState.FILLED,
        None,
        world.limit(30).price,
    )
    assert world.book.open_orders(world.round.changed[order.order_id].group).buy_quantity == 0


def test_smaller_quantity_keeps_the_place_in_the_queue(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-2, quantity=50))
    place = world.round.changed[placed.order.order_id].place

    order = modified(world, placed, quantity=20)

    after = world.round.changed[order.order_id]
    assert (order.quantity, order.state, after.place) == (20, OrderState.OPEN, place)
    assert world.book.open_orders(after.group).buy_quantity == 20


def test_smaller_quantity_at_the_price_it_has_keeps_the_place_in_the_queue(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-2, quantity=50))
    place = replace(world.round.changed[placed.order.order_id].place, ahead=7)
    world.round.working[placed.order.order_id] = world.round.changed[placed.order.order_id]._replace(
        place=place
    )

    order = modified(world, placed, quantity=20, price=placed.order.price)

    assert world.round.changed[order.order_id].place == place


def test_rest_of_a_market_order_keeps_its_protection_price_when_it_shrinks() -> None:
    world = MatchingWorld(capital=None)
    placed = world.place(world.order(quantity=10_000_000))
    protection = world.round.changed[placed.order.order_id].protection_price
    first = world.last_price(RELIANCE)
    while abs(world.last_price(RELIANCE) - first) < 2:
        world.clock.move(seconds=30)
        world.next_round()

    order = modified(world, placed, quantity=9_000_000)

    assert (order.quantity, order.state) == (9_000_000, OrderState.PARTIALLY_FILLED)
    assert world.round.changed[order.order_id].protection_price == protection


def test_order_whose_day_is_over_is_not_modified_into_the_next(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))
    world.clock.move(days=1)
    world.next_round()

    order = modified(world, placed, price=world.limit(30).price)

    assert (order.state, order.reason_code) == (OrderState.OPEN, ReasonCode.ORDER_NOT_PENDING)
    assert order.filled_quantity == 0


def test_order_is_not_modified_while_its_market_is_closed(world: MatchingWorld) -> None:
    # Placed while the market never closed; from now on sessions are kept, and it is evening.
    placed = world.place(world.limit(-30))
    world.sessions = MarketHours()
    world.clock.move(hours=6)
    world.next_round()

    order = modified(world, placed, price=world.limit(30).price)

    assert (order.state, order.reason_code) == (OrderState.OPEN, ReasonCode.MARKET_CLOSED)


def test_larger_quantity_goes_behind_those_who_waited_at_the_price(world: MatchingWorld) -> None:
    first, second = (world.place(world.limit(-2, quantity=50)) for _ in range(2))
    resting = RestingOrders()
    for placed in (first, second):
        resting.put(world.round.changed[placed.order.order_id])

    resting.put(world.round.changed[modified(world, first, quantity=60).order_id])

    snapshot = world.round.view.snapshot(world.listings[RELIANCE])
    assert [each.order_id for each in resting.touchable(snapshot, RELIANCE)] == [
        second.order.order_id,
        first.order.order_id,
    ]
    assert len(resting.expired(world.clock.at + timedelta(days=1), 10)) == 2


def test_order_of_a_delisted_instrument_can_only_be_cancelled(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))
    world.listings = {key: each for key, each in world.listings.items() if key != RELIANCE}
    world.next_round()

    order = modified(world, placed, quantity=5)

    assert (order.state, order.reason_code) == (OrderState.OPEN, ReasonCode.NO_QUOTE)
    world.round.cancel(order.model_copy(update={"pending_action": PendingAction.CANCEL}))
    assert recorded(world.round.outcomes[-1]).state is OrderState.CANCELLED


def test_modification_beyond_the_margin_leaves_the_order_as_it_was(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))

    order = modified(world, placed, quantity=1_000_000)

    assert (order.quantity, order.state, order.pending_action) == (10, OrderState.OPEN, None)
    assert order.reason_code is ReasonCode.MARGIN_INSUFFICIENT
    assert world.book.open_orders(world.round.working[order.order_id].group).buy_quantity == 10


def test_limit_order_becomes_a_stop(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))

    order = modified(world, placed, order_type="SL-M", trigger_price=world.limit(30).price)

    assert order.state is OrderState.TRIGGER_PENDING
    assert world.round.changed[order.order_id].is_waiting_stop


def test_quantity_below_what_traded_is_refused() -> None:
    world = MatchingWorld(capital=None)
    ask = world.round.view.snapshot(world.listings[RELIANCE]).asks[0]
    placed = world.place(
        world.order(order_type=OrderType.LIMIT, price=ask.price, quantity=ask.quantity + 100)
    )

    order = modified(world, placed, quantity=ask.quantity)

    assert order.reason_code is ReasonCode.QUANTITY_BELOW_FILLED
    assert order.state is OrderState.PARTIALLY_FILLED


def test_order_modified_before_it_was_executed_is_placed_as_modified(world: MatchingWorld) -> None:
    order = world.order(pending_action=PendingAction.MODIFY)

    world.round.place(order, {"quantity": 25})

    after = recorded(world.round.outcomes[-1])
    assert (after.quantity, after.filled_quantity, after.pending_action) == (25, 25, None)


def test_cancelled_before_it_was_executed_is_just_cancelled(world: MatchingWorld) -> None:
    world.round.cancel(world.order(pending_action=PendingAction.CANCEL))

    assert recorded(world.round.outcomes[-1]).state is OrderState.CANCELLED
    assert world.round.changed == {}


def test_order_expires_at_the_end_of_its_day(world: MatchingWorld) -> None:
    placed = world.place(world.limit(-30))
    working = world.round.changed[placed.order.order_id]
    assert working.expires_at == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)
    resting = RestingOrders()
    resting.put(working)

    assert resting.expired(working.expires_at - timedelta(seconds=1), 10) == []
    assert resting.expired(working.expires_at, 10) == [working]
    world.round.expire(recorded(placed), working)

    order = recorded(world.round.outcomes[-1])
    assert (order.state, order.reason_code) == (OrderState.EXPIRED, ReasonCode.DAY_ENDED)
    assert world.book.used == 0
