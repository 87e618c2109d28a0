"""What one snapshot may bring all resting orders of an instrument together."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.vocabulary import OrderState, OrderType, TransactionType
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.queueing import QueuePlace
from vyomo_paper_exchange.domain.waiting import Filled, look
from vyomo_paper_exchange.domain.working import RestingOrders, WorkingOrder, received
from vyomo_paper_exchange.testing import NOON, MatchingWorld, snapshot

BUY, SELL = TransactionType.BUY, TransactionType.SELL
WORLD = MatchingWorld()
LISTING = WORLD.listings["NSE:RELIANCE"]
BEFORE = snapshot("1500.00", {"1499.90": 100}, {"1500.10": 100}, number=1)


def waiting_order(side: TransactionType, ticks: int, quantity: int, ahead: int) -> WorkingOrder:
    price = Decimal(1500) + ticks * LISTING.instrument.tick_size
    order = WORLD.order(transaction_type=side, order_type=OrderType.LIMIT, price=price, quantity=quantity)
    resting = received(order, protection_price=None, expires_at=NOON.replace(hour=18), at=NOON)
    return resting._replace(state=OrderState.OPEN, place=QueuePlace(ahead, ahead))


ORDERS = st.lists(
    st.builds(
        waiting_order,
        side=st.sampled_from([BUY, SELL]),
        ticks=st.integers(-4, 4),
        quantity=st.integers(1, 300),
        ahead=st.integers(0, 150),
    ),
    min_size=1,
    max_size=10,
)


@given(
    orders=ORDERS,
    last=st.integers(-4, 4),
    shown=st.lists(st.integers(1, 200), min_size=10, max_size=10),
    traded=st.integers(0, 600),
)
@settings(max_examples=200, deadline=None)
def test_orders_share_what_was_traded_and_shown_best_price_first(
    orders: list[WorkingOrder], last: int, shown: list[int], traded: int
) -> None:
    tick = LISTING.instrument.tick_size
    bids = {f"{1500 + (last - 1 - depth) * tick:f}": shown[depth] for depth in range(5)}
    asks = {f"{1500 + (last + depth) * tick:f}": shown[5 + depth] for depth in range(5)}
    now = snapshot(f"{1500 + last * tick:f}", bids, asks, number=2, volume=traded)
    resting, consumption = RestingOrders(), Consumption()
    for order in orders:
        resting.put(order)
    resting.note_seen(LISTING.key, BEFORE)

    filled = [each for each in look(resting, LISTING, now, consumption) if isinstance(each, Filled)]

    taken = {side: consumption.taken(LISTING.key, 2, side) for side in (BUY, SELL)}
    for side, levels in ((BUY, asks), (SELL, bids)):
        assert all(units <= levels[f"{price:f}"] for price, units in taken[side].items())
    from_depth = sum(sum(prices.values()) for prices in taken.values())
    assert sum(each.execution.quantity for each in filled) <= traded + from_depth
    for each in filled:
        assert each.execution.price == each.known.price
        assert 0 < each.execution.quantity <= each.known.remaining
    # Nobody trades while one who offered a better price still waits.
    remaining = {order.order_id: order.remaining for order in orders}
    for each in filled:
        remaining[each.known.order_id] -= each.execution.quantity
    for each in filled:
        ahead = [
            order
            for order in orders
            if order.transaction_type is each.known.transaction_type
            and order.transaction_type.sign * (order.price - each.known.price) > 0
        ]
        assert all(remaining[order.order_id] == 0 for order in ahead)
