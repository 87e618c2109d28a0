"""What an order must pass, and what it blocks."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Exchange,
    OrderState,
    OrderType,
    PendingAction,
    Product,
    TransactionType,
    Validity,
)
from vyomo_paper_exchange.domain.accounts import GroupKey, HoldingState
from vyomo_paper_exchange.domain.positions import Lot
from vyomo_paper_exchange.domain.sessions import MarketHours
from vyomo_paper_exchange.testing import ACCOUNT, MatchingWorld, StandingClock, before_a_move, recorded

SELL = TransactionType.SELL
RELIANCE = "NSE:RELIANCE"


@pytest.fixture
def world() -> MatchingWorld:
    return MatchingWorld()


def go_before_a_fall(world: MatchingWorld) -> None:
    """Move to a moment after which RELIANCE loses a fifth of a percent within twenty minutes."""
    world.clock.at = before_a_move(world.market, world.listings[RELIANCE], Decimal("-0.002"))
    world.next_round()


def test_order_beyond_the_margin_is_rejected_and_says_the_figures(world: MatchingWorld) -> None:
    outcome = world.place(world.order(quantity=4_000, product=Product.CNC))

    order = recorded(outcome)
    assert (order.state, order.reason_code) == (OrderState.REJECTED, ReasonCode.MARGIN_INSUFFICIENT)
    assert order.reason is not None
    assert "1000000.00 is available" in order.reason
    assert world.round.changed[order.order_id].state is OrderState.REJECTED


def test_unlimited_account_is_never_refused_for_margin() -> None:
    world = MatchingWorld(capital=None)

    assert recorded(world.place(world.order(quantity=4_000, product=Product.CNC))).state is OrderState.FILLED
    funds = world.book.funds(world.clock.now())
    assert (funds.balance, funds.available) == (None, None)
    assert funds.used > 1_000_000


def test_order_that_reduces_is_accepted_without_any_margin_left(world: MatchingWorld) -> None:
    world.place(world.order(quantity=3_000))
    world.book.account = world.book.account.__class__(
        account_id=ACCOUNT, user_id="asha", capital=Decimal(1), day=world.round.view.day
    )

    assert (
        recorded(world.place(world.order(transaction_type=SELL, quantity=3_000))).state is OrderState.FILLED
    )
    refused = world.place(world.order(transaction_type=SELL, quantity=3_000))
    assert refused.update.reason_code is ReasonCode.MARGIN_INSUFFICIENT


def test_resting_orders_block_margin_until_they_are_cancelled(world: MatchingWorld) -> None:
    order = world.limit(-200, quantity=1_000)
    placed = world.place(order)
    blocked = world.book.used

    assert blocked == order.price * 1_000 / 5
    world.round.cancel(recorded(placed).model_copy(update={"pending_action": PendingAction.CANCEL}))
    cancelled = recorded(world.round.outcomes[-1])
    assert (cancelled.state, cancelled.pending_action) == (OrderState.CANCELLED, None)
    assert world.book.used == 0


def test_delivery_sale_needs_holdings_or_a_purchase_of_the_day(world: MatchingWorld) -> None:
    refused = world.place(world.order(product=Product.CNC, transaction_type=SELL))
    assert refused.update.reason_code is ReasonCode.HOLDINGS_INSUFFICIENT

    world.place(world.order(product=Product.CNC, quantity=10))
    sold = world.place(world.order(product=Product.CNC, transaction_type=SELL, quantity=10))
    assert recorded(sold).state is OrderState.FILLED
    again = world.place(world.order(product=Product.CNC, transaction_type=SELL, quantity=1))
    assert again.update.reason_code is ReasonCode.HOLDINGS_INSUFFICIENT


def test_sold_holdings_free_their_cost(world: MatchingWorld) -> None:
    key = (world.order().exchange, "RELIANCE")
    world.book.holdings[key] = HoldingState(
        exchange=key[0], symbol="RELIANCE", quantity=100, lots=(Lot(100, Decimal(140_000)),)
    )
    assert world.book.used == 140_000

    world.place(world.order(product=Product.CNC, transaction_type=SELL, quantity=40))

    assert world.book.used == 84_000


def test_buying_sold_holdings_back_is_paid_for_with_what_the_sale_freed() -> None:
    world = MatchingWorld(capital=Decimal(200_000))
    holding = HoldingState(Exchange.NSE, "RELIANCE", 100, (Lot(100, Decimal(150_000)),))
    world.book.holdings[Exchange.NSE, "RELIANCE"] = holding
    sold = world.place(world.order(product=Product.CNC, transaction_type=SELL, quantity=100))
    assert recorded(sold).state is OrderState.FILLED
    other = world.place(world.order("NSE:INFY", product=Product.CNC, quantity=100))
    assert recorded(other).state is OrderState.FILLED

    bought_back = world.place(world.order(product=Product.CNC, quantity=100))

    assert recorded(bought_back).reason_code is ReasonCode.MARGIN_INSUFFICIENT
    affordable = world.place(world.limit(-30, product=Product.CNC, quantity=30))
    assert recorded(affordable).state is OrderState.OPEN
    assert world.book.available is not None
    assert world.book.available >= 0


def test_sale_limited_below_the_market_needs_the_margin_of_the_market_price() -> None:
    world = MatchingWorld(capital=Decimal(30_000))
    # 100 units at the last price need more than there is, at the limit less.
    sale = world.limit(-600, transaction_type=SELL, quantity=99)
    assert sale.price * 99 / 5 < 30_000 < world.last_price(RELIANCE) * 100 / 5

    refused = world.place(sale.model_copy(update={"quantity": 100}))
    accepted = world.place(sale)

    assert recorded(refused).reason_code is ReasonCode.MARGIN_INSUFFICIENT
    assert recorded(accepted).state is OrderState.FILLED
    assert world.book.positions[GroupKey(Exchange.NSE, "RELIANCE", Product.MIS)].open_value / 5 < 30_000


def test_index_is_bought_for_delivery_like_a_stock() -> None:
    world = MatchingWorld(capital=None)
    order = recorded(world.place(world.order("NSE:NIFTY", product=Product.CNC, quantity=1)))

    assert order.state is OrderState.FILLED


@pytest.mark.parametrize(("side", "ticks"), [("BUY", -5), ("SELL", 5), ("BUY", 0), ("SELL", 0)])
def test_stop_whose_trigger_was_crossed_is_rejected(world: MatchingWorld, side: str, ticks: int) -> None:
    trigger = world.limit(ticks).price
    outcome = world.place(
        world.order(order_type=OrderType.SL_M, trigger_price=trigger, transaction_type=TransactionType(side))
    )

    assert outcome.update.reason_code is ReasonCode.TRIGGER_ALREADY_CROSSED


def test_order_outside_the_session_is_rejected_with_the_next_opening() -> None:
    evening = StandingClock(datetime(2026, 11, 20, 13, 0, tzinfo=UTC))
    world = MatchingWorld(clock=evening, sessions=MarketHours())

    order = recorded(world.place(world.order()))

    assert order.reason_code is ReasonCode.MARKET_CLOSED
    assert order.reason == "NSE is closed; it opens on Mon 23 Nov 2026 at 09:15 IST"


def test_day_beyond_the_session_table_is_rejected_with_what_is_missing() -> None:
    world = MatchingWorld(clock=StandingClock(datetime(2027, 2, 1, 6, tzinfo=UTC)), sessions=MarketHours())

    order = recorded(world.place(world.order()))

    assert order.reason is not None
    assert "no cash session rows for 2027-02-01" in order.reason


def test_instrument_without_listing_has_no_quote(world: MatchingWorld) -> None:
    assert world.place(world.order("NSE:NOSUCH")).update.reason_code is ReasonCode.NO_QUOTE


def test_expired_contract_is_rejected(world: MatchingWorld) -> None:
    world.clock.move(days=10)
    world.next_round()

    outcome = world.place(world.order("NFO:NIFTY26NOVFUT", quantity=65, product=Product.NRML))

    assert outcome.update.reason_code is ReasonCode.INSTRUMENT_EXPIRED


def test_expiring_contract_trades_until_its_settlement_and_not_after() -> None:
    # Tuesday 1 December 2026, 15:29: the derivatives session goes on until 15:40.
    clock = StandingClock(datetime(2026, 12, 1, 9, 59, tzinfo=UTC))
    world = MatchingWorld(clock=clock, sessions=MarketHours())
    call, settlement = "NFO:NIFTY26D0125000CE", datetime(2026, 12, 1, 10, tzinfo=UTC)
    resting = world.place(world.limit(-1, call, quantity=65, product=Product.NRML))
    assert world.round.changed[resting.order.order_id].expires_at == settlement

    clock.at = settlement
    world.next_round()
    late = world.place(world.order(call, quantity=65, product=Product.NRML))
    other = world.place(world.order("NFO:NIFTY26DECFUT", quantity=65, product=Product.NRML))

    assert recorded(late).reason_code is ReasonCode.INSTRUMENT_EXPIRED
    assert recorded(late).reason == "NIFTY26D0125000CE expired on 2026-12-01 and no longer trades"
    assert recorded(other).state is OrderState.FILLED
    settled = world.round.view.snapshot(world.listings[call])
    clock.move(minutes=8)
    assert world.next_round().view.snapshot(world.listings[call]) == settled


def test_unrealised_losses_reduce_what_is_available(world: MatchingWorld) -> None:
    go_before_a_fall(world)
    world.place(world.order(quantity=1_000))
    key = GroupKey(world.order().exchange, "RELIANCE", Product.MIS)
    cost = world.book.positions[key].open_value
    profit = Decimal(0)
    while profit > -1_000:
        world.clock.move(seconds=5)
        world.next_round()
        profit = world.book.positions[key].unrealised(world.last_price(RELIANCE))

    assert world.book.used == (cost / 5 - profit).quantize(Decimal("0.0001"))
    assert world.book.available == Decimal(1_000_000) - world.book.used


@pytest.mark.parametrize(
    ("key", "changes", "code"),
    [
        ("NSE:RELIANCE", {"product": Product.NRML}, ReasonCode.PRODUCT_NOT_ALLOWED),
        ("MCX:GOLD26DECFUT", {"product": Product.CNC}, ReasonCode.PRODUCT_NOT_ALLOWED),
        ("MCX:GOLD26DECFUT", {"validity": Validity.IOC}, ReasonCode.VALIDITY_NOT_ALLOWED),
        ("NFO:NIFTY26NOVFUT", {"quantity": 66}, ReasonCode.QUANTITY_NOT_LOT_MULTIPLE),
        ("NFO:NIFTY26NOVFUT", {"quantity": 1820}, ReasonCode.RISK_QUANTITY_ABOVE_FREEZE),
        (
            "NFO:NIFTY26NOV25000CE",
            {"quantity": 65, "order_type": OrderType.SL_M, "trigger_price": Decimal(500)},
            ReasonCode.ORDER_TYPE_NOT_ALLOWED,
        ),
        (
            "NSE:RELIANCE",
            {"order_type": OrderType.LIMIT, "price": Decimal("1500.05")},
            ReasonCode.PRICE_OFF_TICK,
        ),
        ("NSE:RELIANCE", {"order_type": OrderType.LIMIT, "price": Decimal(1)}, ReasonCode.PRICE_OUTSIDE_BAND),
        (
            "NSE:RELIANCE",
            {"order_type": OrderType.SL_M, "trigger_price": Decimal("1600.05")},
            ReasonCode.TRIGGER_PRICE_OFF_TICK,
        ),
    ],
)
def test_order_that_breaks_a_rule_of_its_instrument_is_rejected(
    world: MatchingWorld, key: str, changes: dict[str, Any], code: ReasonCode
) -> None:
    assert recorded(world.place(world.order(key, **changes))).reason_code is code
