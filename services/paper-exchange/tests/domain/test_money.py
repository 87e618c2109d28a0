"""What must hold of money and things after every sequence of orders, cancellations and modifications (reliability.md I4)."""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Fill, Order, OrderModification
from vyomo_contracts.vocabulary import Exchange, OrderType, PendingAction, Product, TransactionType, Validity
from vyomo_paper_exchange.domain.accounts import GroupKey, HoldingState
from vyomo_paper_exchange.domain.positions import Lot
from vyomo_paper_exchange.testing import MatchingWorld, recorded

BUY, SELL = TransactionType.BUY, TransactionType.SELL
CASH = ("NSE:RELIANCE", "NSE:INFY")


class Ask(NamedTuple):
    """One thing a trader does; what does not apply to the action is ignored."""

    action: str
    key: str
    product: Product
    side: TransactionType
    order_type: OrderType
    validity: Validity
    lots: int
    ticks: int
    """The limit, from the last price; a stop's trigger lies between the two."""
    which: int
    """Which of the working orders is changed."""


ACTIONS = ("place", "place", "place", "cancel", "modify")


def asks(
    keys: dict[str, list[Product]], types: list[OrderType], validities: list[Validity]
) -> st.SearchStrategy[list[Ask]]:
    def of_key(key: str) -> st.SearchStrategy[Ask]:
        return st.builds(
            Ask,
            action=st.sampled_from(ACTIONS),
            key=st.just(key),
            product=st.sampled_from(keys[key]),
            side=st.sampled_from([BUY, SELL]),
            order_type=st.sampled_from(types),
            validity=st.sampled_from(validities),
            lots=st.integers(1, 60) if key in CASH else st.integers(1, 28),
            ticks=st.integers(-40, 40),
            which=st.integers(0, 20),
        )

    return st.lists(st.sampled_from(sorted(keys)).flatmap(of_key), min_size=1, max_size=25)


class Trader:
    """Does what is asked in a world and keeps its own account of the trades."""

    def __init__(self, world: MatchingWorld) -> None:
        self.world = world
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []

    def do(self, ask: Ask) -> None:
        working = [order for order in self.orders.values() if not order.state.is_terminal]
        if ask.action == "place":
            self.world.round.place(self._order(ask))
        elif working and ask.action == "cancel":
            chosen = working[ask.which % len(working)]
            self.world.round.cancel(chosen.model_copy(update={"pending_action": PendingAction.CANCEL}))
        elif working:
            chosen = working[ask.which % len(working)]
            changes = OrderModification(quantity=ask.lots * self._lot(chosen.exchange + ":" + chosen.symbol))
            self.world.round.modify(
                chosen.model_copy(update={"pending_action": PendingAction.MODIFY}), changes
            )
        else:
            return
        outcome = self.world.round.outcomes[-1]
        after = recorded(outcome)
        self.orders[after.order_id] = after
        self.fills.extend(outcome.fills)

    def _lot(self, key: str) -> int:
        return self.world.listings[key].instrument.lot_size

    def _order(self, ask: Ask) -> Order:
        limit = self.world.limit(ask.ticks, ask.key).price
        return self.world.order(
            ask.key,
            order_type=ask.order_type,
            product=ask.product,
            transaction_type=ask.side,
            validity=ask.validity,
            quantity=ask.lots * self._lot(ask.key),
            price=limit if ask.order_type.takes_price else ZERO,
            trigger_price=self.world.limit(ask.side.sign * abs(ask.ticks), ask.key).price
            if ask.order_type.takes_trigger_price
            else None,
        )


@given(
    todo=asks(
        {
            "NSE:RELIANCE": [Product.MIS, Product.CNC],
            "NFO:NIFTY26NOV25000CE": [Product.NRML, Product.MIS],
            "MCX:GOLD26DECFUT": [Product.NRML],
        },
        list(OrderType),
        [Validity.DAY, Validity.DAY, Validity.IOC],
    )
)
@settings(max_examples=60, deadline=None)
def test_trades_make_the_position_and_the_cash_and_nothing_else_blocks_money(todo: list[Ask]) -> None:
    world = MatchingWorld(capital=Decimal(20_000_000))
    trader = Trader(world)
    for ask in todo:
        trader.do(ask)

        assert world.book.used >= 0
        assert {key: orders for key, orders in world.book.orders.items() if any(orders)} == _wanted(world)
    quantities: dict[GroupKey, int] = defaultdict(int)
    cash = Decimal(20_000_000)
    for fill in trader.fills:
        key = GroupKey(fill.exchange, fill.symbol, fill.product)
        quantities[key] += fill.transaction_type.sign * fill.quantity
        multiplier = world.listings[f"{fill.exchange}:{fill.symbol}"].instrument.multiplier
        cash -= fill.transaction_type.sign * fill.quantity * fill.price * multiplier
    held = {key: position for key, position in world.book.positions.items() if position.quantity}
    assert {key: position.quantity for key, position in held.items()} == {
        key: quantity for key, quantity in quantities.items() if quantity
    }
    # What the open lots cost is not spent but blocked: with it the balance is the cash to the last digit.
    cost = sum((lot.value * (1 if lot.quantity > 0 else -1) for p in held.values() for lot in p.lots), ZERO)
    assert world.book.balance == cash + cost
    for order in trader.orders.values():
        filled = [fill for fill in trader.fills if fill.order_id == order.order_id]
        assert sum(fill.quantity for fill in filled) == order.filled_quantity
        for fill in filled:
            assert order.order_type in {OrderType.MARKET, OrderType.SL_M} or (
                order.transaction_type.sign * (order.price - fill.price) >= 0
            )
    for order in [each for each in trader.orders.values() if not each.state.is_terminal]:
        world.round.cancel(order.model_copy(update={"pending_action": PendingAction.CANCEL}))
    assert not _wanted(world)
    assert all(orders == (0, 0, 0, 0) for orders in world.book.orders.values())


def _wanted(world: MatchingWorld) -> dict[GroupKey, tuple[int, Decimal, int, Decimal]]:
    """What the working orders of each group could still trade, counted anew."""
    sums: dict[GroupKey, tuple[int, Decimal, int, Decimal]] = {}
    for working in world.round.working.values():
        if not working.is_working:
            continue
        buys, buy_value, sells, sell_value = sums.get(working.group, (0, ZERO, 0, ZERO))
        multiplier = world.listings[working.key].instrument.multiplier
        value = working.remaining * working.limit * multiplier
        if working.transaction_type is BUY:
            sums[working.group] = buys + working.remaining, buy_value + value, sells, sell_value
        else:
            sums[working.group] = buys, buy_value, sells + working.remaining, sell_value + value
    return sums


@given(
    todo=asks({key: [Product.CNC] for key in CASH}, [OrderType.MARKET, OrderType.LIMIT], [Validity.DAY]),
)
@settings(max_examples=60, deadline=None)
def test_delivery_never_spends_more_than_there_is(todo: list[Ask]) -> None:
    world = MatchingWorld(capital=Decimal(185_000))
    for symbol, price in (("RELIANCE", 1_490), ("INFY", 1_560)):
        lot = Lot(60, Decimal(60 * price))
        world.book.holdings[Exchange.NSE, symbol] = HoldingState(Exchange.NSE, symbol, 60, (lot,))
    trader = Trader(world)
    for ask in todo:
        trader.do(ask)

        assert world.book.available is not None
        assert world.book.available >= 0
        for symbol in ("RELIANCE", "INFY"):
            assert world.book.sellable(Exchange.NSE, symbol) >= 0
