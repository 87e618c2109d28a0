"""An order as the exchange holds it, and the memory of all that rest."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Origin,
    Product,
    TransactionType,
    Validity,
)
from vyomo_paper_exchange.domain.accounts import GroupKey
from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.matching import own_levels
from vyomo_paper_exchange.domain.queueing import UNPLACED, QueuePlace


class WorkingOrder(NamedTuple):
    """The exchange-side row of an order. Immutable: a change that is rolled back leaves no trace."""

    order_id: str
    account_id: int
    user_id: str
    exchange: Exchange
    symbol: str
    product: Product
    transaction_type: TransactionType
    order_type: OrderType
    validity: Validity
    quantity: int
    price: Decimal
    trigger_price: Decimal | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    protection_price: Decimal | None = None
    """The limit a MARKET or SL-M order works with; None for orders with a price of their own."""
    triggered_at: datetime | None = None
    state: OrderState = OrderState.NEW
    filled_quantity: int = 0
    filled_value: Decimal = ZERO
    trades: int = 0
    place: QueuePlace = UNPLACED
    reason: str | None = None

    @property
    def key(self) -> str:
        return instrument_key(self.exchange, self.symbol)

    @property
    def group(self) -> GroupKey:
        return GroupKey(self.exchange, self.symbol, self.product)

    @property
    def came_by_door(self) -> bool:
        """Whether the order was placed at a front door: such ids are digits, those of the record begin with a broker's name."""
        return self.order_id.isdigit()

    @property
    def limit(self) -> Decimal:
        return self.price if self.protection_price is None else self.protection_price

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled_quantity

    @property
    def is_waiting_stop(self) -> bool:
        return self.order_type.takes_trigger_price and self.triggered_at is None

    @property
    def is_working(self) -> bool:
        return not self.state.is_terminal

    @property
    def average_price(self) -> Decimal:
        return to_price(self.filled_value / self.filled_quantity) if self.filled_quantity else ZERO

    def in_state(self, state: OrderState, at: datetime, reason: str | None = None) -> "WorkingOrder":
        return self._replace(state=state, updated_at=at, reason=reason)


def venue_order_id(order: Order) -> str:
    """Our id of an order of the record: for one that was placed at a door, the id that the door gave."""
    if order.origin is Origin.VYOMO or order.broker_order_id is None:
        return order.order_id
    return order.broker_order_id


def order_of(working: WorkingOrder) -> Order:
    """An order that came by a door, in the shape in which rounds take orders. The record knows it later, by reconciliation."""
    return Order(
        order_id=working.order_id,
        account_id=working.account_id,
        user_id=working.user_id,
        broker=Broker.PAPER,
        symbol=working.symbol,
        exchange=working.exchange,
        transaction_type=working.transaction_type,
        order_type=working.order_type,
        quantity=working.quantity,
        price=working.price,
        trigger_price=working.trigger_price,
        product=working.product,
        validity=working.validity,
        state=working.state,
        filled_quantity=working.filled_quantity,
        average_price=working.average_price,
        version=1,
        broker_tag="",
        broker_order_id=working.order_id,
        origin=Origin.EXTERNAL,
        created_at=working.created_at,
        updated_at=working.updated_at,
        expires_at=working.expires_at,
    )


def received(
    order: Order, *, protection_price: Decimal | None, expires_at: datetime, at: datetime
) -> WorkingOrder:
    """A new order as it reaches the exchange."""
    return WorkingOrder(
        order_id=order.order_id,
        account_id=order.account_id,
        user_id=order.user_id,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        transaction_type=order.transaction_type,
        order_type=order.order_type,
        validity=order.validity,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger_price if order.order_type.takes_trigger_price else None,
        protection_price=protection_price,
        created_at=at,
        updated_at=at,
        expires_at=expires_at,
    )


@dataclass(slots=True)
class _Ladder:
    """Orders of one side by price, each price in order of arrival."""

    prices: list[Decimal] = field(default_factory=list[Decimal])
    orders: dict[Decimal, dict[str, WorkingOrder]] = field(
        default_factory=dict[Decimal, dict[str, WorkingOrder]]
    )

    def put(self, price: Decimal, order: WorkingOrder) -> None:
        if price not in self.orders:
            insort(self.prices, price)
            self.orders[price] = {}
        self.orders[price][order.order_id] = order

    def remove(self, price: Decimal, order_id: str) -> None:
        at_price = self.orders.get(price, {})
        at_price.pop(order_id, None)
        if not at_price and price in self.orders:
            del self.orders[price]
            del self.prices[bisect_left(self.prices, price)]

    def rising(self, up_to: Decimal | None) -> Iterator[WorkingOrder]:
        for price in self.prices:
            if up_to is not None and price > up_to:
                return
            yield from self.orders[price].values()

    def falling(self, down_to: Decimal | None) -> Iterator[WorkingOrder]:
        for price in reversed(self.prices):
            if down_to is not None and price < down_to:
                return
            yield from self.orders[price].values()


@dataclass(slots=True)
class _InstrumentOrders:
    exchange: Exchange
    symbol: str
    limits: dict[TransactionType, _Ladder]
    stops: dict[TransactionType, _Ladder]
    seen_number: int = -1
    seen_volume: int = 0
    count: int = 0


class RestingOrders:
    """Every working order in memory, by instrument, side and price; a snapshot looks only at those it can touch."""

    def __init__(self) -> None:
        self._instruments: dict[str, _InstrumentOrders] = {}
        self._orders: dict[str, WorkingOrder] = {}
        self._ending: dict[datetime, set[str]] = {}
        """Order ids by the end of their day: a market has few of those."""

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, order_id: str) -> WorkingOrder | None:
        return self._orders.get(order_id)

    def instruments(self) -> list[tuple[Exchange, str]]:
        return [(each.exchange, each.symbol) for each in self._instruments.values()]

    def put(self, order: WorkingOrder) -> None:
        """Keep an order in its newest form; one that no longer works is dropped. A new price or more units lose the place in time."""
        known = self._orders.get(order.order_id)
        if known is not None and (
            not order.is_working or order.quantity > known.quantity or _slot(known) != _slot(order)
        ):
            self.remove(order.order_id)
        if order.is_working:
            self._insert(order)

    def remove(self, order_id: str) -> None:
        order = self._orders.pop(order_id, None)
        if order is None:
            return
        ending = self._ending[order.expires_at]
        ending.remove(order_id)
        if not ending:
            del self._ending[order.expires_at]
        orders = self._instruments[order.key]
        _ladder(orders, order).remove(_slot(order)[1], order_id)
        orders.count -= 1
        if orders.count == 0:
            del self._instruments[order.key]

    def expired(self, at: datetime, limit: int) -> list[WorkingOrder]:
        """Orders whose day ended, at most `limit`; they are returned again until they are removed."""
        ended = [order_id for ends_at, ids in self._ending.items() if ends_at <= at for order_id in ids]
        return [self._orders[order_id] for order_id in sorted(ended)[:limit]]

    def crossed_stops(self, snapshot: Snapshot, key: str) -> list[WorkingOrder]:
        """Stops whose trigger the last price reached, nearest trigger first."""
        orders = self._instruments[key]
        return [
            *orders.stops[TransactionType.BUY].rising(snapshot.last_price),
            *orders.stops[TransactionType.SELL].falling(snapshot.last_price),
        ]

    def touchable(self, snapshot: Snapshot, key: str) -> list[WorkingOrder]:
        """Limit orders whose price is shown or better: nothing can happen yet to those behind the last level."""
        orders = self._instruments[key]
        bids, asks = own_levels(snapshot, TransactionType.BUY), own_levels(snapshot, TransactionType.SELL)
        return [
            *orders.limits[TransactionType.BUY].falling(bids[-1].price if bids else None),
            *orders.limits[TransactionType.SELL].rising(asks[-1].price if asks else None),
        ]

    def traded_since(self, key: str, snapshot: Snapshot) -> int | None:
        """Volume since the snapshot seen before; None if this one was seen already."""
        orders = self._instruments[key]
        if orders.seen_number == snapshot.number:
            return None
        # A day change restarts the count; the first snapshot of an instrument says nothing about trades.
        return max(snapshot.volume - orders.seen_volume, 0) if orders.seen_number >= 0 else 0

    def note_arrival(self, key: str, snapshot: Snapshot) -> None:
        """The first order of an instrument counts trades from the snapshot it arrived at."""
        if key in self._instruments and self._instruments[key].seen_number < 0:
            self.note_seen(key, snapshot)

    def note_seen(self, key: str, snapshot: Snapshot) -> None:
        if key in self._instruments:
            self._instruments[key].seen_number = snapshot.number
            self._instruments[key].seen_volume = snapshot.volume

    def replace_all(self, orders: Iterable[WorkingOrder]) -> None:
        self._instruments.clear()
        self._orders.clear()
        self._ending.clear()
        for order in orders:
            self.put(order)

    def _insert(self, order: WorkingOrder) -> None:
        if order.key not in self._instruments:
            self._instruments[order.key] = _InstrumentOrders(
                exchange=order.exchange,
                symbol=order.symbol,
                limits={side: _Ladder() for side in TransactionType},
                stops={side: _Ladder() for side in TransactionType},
            )
        orders = self._instruments[order.key]
        if order.order_id not in self._orders:
            orders.count += 1
            self._ending.setdefault(order.expires_at, set()).add(order.order_id)
        self._orders[order.order_id] = order
        _ladder(orders, order).put(_slot(order)[1], order)


def _slot(order: WorkingOrder) -> tuple[bool, Decimal]:
    if order.is_waiting_stop and order.trigger_price is not None:
        return True, order.trigger_price
    return False, order.limit


def _ladder(orders: _InstrumentOrders, order: WorkingOrder) -> _Ladder:
    return (orders.stops if order.is_waiting_stop else orders.limits)[order.transaction_type]
