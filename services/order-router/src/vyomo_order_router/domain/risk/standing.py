"""How an account stands: what it holds, and what its open orders may still make of that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.vocabulary import TransactionType

Place = tuple[str, str]
"""Exchange and symbol."""
Fingerprint = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position in one instrument and product, or shares in delivery (product CNC)."""

    exchange: str
    symbol: str
    product: str
    quantity: int
    """Negative when short."""
    unit_value: Decimal
    """Rupees of one unit: last known price x multiplier."""
    is_delivered: bool = False
    """True for shares in delivery, which are kept until their owner sells them; they are no open position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """What is left of an order that is not over; one whose outcome is unknown is open too."""

    exchange: str
    symbol: str
    product: str
    transaction_type: str
    remaining: int
    unit_value: Decimal


@dataclass(frozen=True, slots=True)
class _Net:
    held: int = 0
    buying: int = 0
    selling: int = 0
    unit_value: Decimal = Decimal(0)

    @property
    def worst(self) -> int:
        """The largest net quantity, long or short, that may come of it."""
        return max(abs(self.held + self.buying), abs(self.held - self.selling))


@dataclass(frozen=True, slots=True)
class Standing:
    """Nothing is known to hold more than what is listed here; every open order may fill or not, whichever is worse."""

    holdings: tuple[Holding, ...] = ()
    orders: tuple[OpenOrder, ...] = ()
    recent: Mapping[Fingerprint, int] = field(default_factory=dict[Fingerprint, int])
    """Orders of the duplicate window."""
    next_sequence: int | None = None
    """The account's next order's number when this was read; None for an account that was not read."""

    def reducible(self, request: OrderRequest) -> int:
        """Units that an order of this side can take off the position, after all open orders of its side."""
        mine = (request.exchange, request.symbol, request.product)
        held = sum(h.quantity for h in self.holdings if (h.exchange, h.symbol, h.product) == mine)
        open_before = sum(
            order.remaining
            for order in self.orders
            if (order.exchange, order.symbol, order.product) == mine
            and order.transaction_type == request.transaction_type
        )
        return max(-request.transaction_type.sign * held, 0) - open_before

    def is_reducing(self, request: OrderRequest) -> bool:
        return request.quantity <= self.reducible(request)

    def worst_quantity(self, request: OrderRequest) -> int:
        """Net units of the instrument, all products together, should everything open of this side fill."""
        net = self._nets().get((request.exchange, request.symbol), _Net())
        return (
            net.held + net.buying
            if request.transaction_type is TransactionType.BUY
            else net.selling - net.held
        )

    def exposure(self) -> Decimal:
        """Rupees of all instruments' worst quantities."""
        return sum((net.worst * net.unit_value for net in self._nets().values()), Decimal(0))

    def with_order(self, request: OrderRequest, instrument: Instrument) -> "Standing":
        """After this order is accepted."""
        order = OpenOrder(
            exchange=request.exchange,
            symbol=request.symbol,
            product=request.product,
            transaction_type=request.transaction_type,
            remaining=request.quantity,
            unit_value=unit_value(request, instrument),
        )
        mark = fingerprint(request)
        recent = {**self.recent, mark: self.recent.get(mark, 0) + 1}
        return replace(self, orders=(*self.orders, order), recent=recent)

    def _nets(self) -> dict[Place, _Net]:
        nets: dict[Place, _Net] = {}
        for held in self.holdings:
            net = nets.get((held.exchange, held.symbol), _Net())
            value = max(net.unit_value, held.unit_value)
            nets[held.exchange, held.symbol] = replace(net, held=net.held + held.quantity, unit_value=value)
        for order in self.orders:
            net = nets.get((order.exchange, order.symbol), _Net())
            value = max(net.unit_value, order.unit_value)
            is_buy = order.transaction_type == TransactionType.BUY
            nets[order.exchange, order.symbol] = replace(
                net,
                buying=net.buying + (order.remaining if is_buy else 0),
                selling=net.selling + (0 if is_buy else order.remaining),
                unit_value=value,
            )
        return nets


NOT_READ: Final = Standing()


def unit_value(request: OrderRequest, instrument: Instrument) -> Decimal:
    """Rupees of one unit of the order."""
    price = request.price or request.trigger_price or instrument.reference_price
    return price * instrument.multiplier


def fingerprint(request: OrderRequest) -> Fingerprint:
    """What makes two orders the same to the eye."""
    return fingerprint_of(
        (
            request.exchange,
            request.symbol,
            request.product,
            request.transaction_type,
            request.order_type,
            request.quantity,
            request.price,
            request.trigger_price,
        )
    )


def fingerprint_of(parts: Iterable[object]) -> Fingerprint:
    return tuple(f"{part.normalize():f}" if isinstance(part, Decimal) else str(part) for part in parts)
