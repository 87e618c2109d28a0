"""Margin by dated percentages (market.md §5, tier 3): what a position and the orders around it block."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, Product, TransactionType
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.positions import PositionState
from vyomo_paper_exchange.domain.tables import Row, in_force

ExposureKind = Literal["EQUITY", "INDEX", "INDEX_DERIVATIVE", "STOCK_DERIVATIVE", "COMMODITY_DERIVATIVE"]


class OpenOrders(NamedTuple):
    """What working orders of one instrument and product could still trade, per side; values include the multiplier."""

    buy_quantity: int = 0
    buy_value: Decimal = ZERO
    sell_quantity: int = 0
    sell_value: Decimal = ZERO

    def plus(self, side: TransactionType, quantity: int, value: Decimal) -> "OpenOrders":
        if side is TransactionType.BUY:
            return self._replace(buy_quantity=self.buy_quantity + quantity, buy_value=self.buy_value + value)
        return self._replace(sell_quantity=self.sell_quantity + quantity, sell_value=self.sell_value + value)

    def quantity(self, side: TransactionType) -> int:
        return self.buy_quantity if side is TransactionType.BUY else self.sell_quantity


NO_ORDERS = OpenOrders()


@dataclass(frozen=True, slots=True)
class Exposure:
    """What margin is asked for: an instrument held in a product, at the underlying's price, on a day."""

    listing: Listing
    product: Product
    spot: Decimal
    on: date


def exposure_of(listing: Listing) -> ExposureKind:
    instrument = listing.instrument
    if instrument.kind is InstrumentKind.INDEX:
        return "INDEX"
    if instrument.kind is InstrumentKind.EQUITY:
        return "EQUITY"
    if instrument.exchange is Exchange.MCX:
        return "COMMODITY_DERIVATIVE"
    return "INDEX_DERIVATIVE" if listing.root.kind is InstrumentKind.INDEX else "STOCK_DERIVATIVE"


class MarginRates:
    """The rate rows in force on a day. A row that names the instrument or the product wins over one that does not."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)
        self._found: dict[tuple[str, str, Product, TransactionType, date], Decimal] = {}

    def rate(self, listing: Listing, product: Product, side: TransactionType, on: date) -> Decimal:
        """Margin as a fraction of value."""
        key = (exposure_of(listing), listing.instrument.name, product, side, on)
        if key not in self._found:
            if len(self._found) >= 10_000:
                self._found.clear()
            self._found[key] = self._find(*key)
        return self._found[key]

    def required(self, exposure: Exposure, side: TransactionType, quantity: int, value: Decimal) -> Decimal:
        """What `quantity` of exposure costs: an option buyer pays the premium, a writer the underlying's margin and the premium."""
        if quantity == 0:
            return ZERO
        instrument = exposure.listing.instrument
        is_option = instrument.kind is InstrumentKind.OPTION
        if is_option and side is TransactionType.BUY:
            return value
        rate = self.rate(exposure.listing, exposure.product, side, exposure.on)
        if is_option:
            return rate * exposure.spot * quantity * instrument.multiplier + value
        return rate * value

    def _find(
        self, exposure: ExposureKind, name: str, product: Product, side: TransactionType, on: date
    ) -> Decimal:
        rows = [
            row
            for row in in_force(self._rows, on)
            if row["exposure"] == exposure
            and row["side"] == side
            and row["name"] in {"", name}
            and row["product"] in {"", product}
        ]
        if not rows:
            raise LookupError(f"no margin rate for {exposure} {name} {product} {side} on {on.isoformat()}")
        best = max(rows, key=lambda row: (bool(row["name"]), bool(row["product"]), row["effective_from"]))
        return Decimal(best["percent"]) / 100


def group_requirement(
    rates: MarginRates, exposure: Exposure, position: PositionState, orders: OpenOrders
) -> Decimal:
    """The dearer of both outcomes: every buy trades, or every sell does. Orders that reduce the position block nothing.

    A delivery purchase always blocks its value: what it buys back of sold holdings is paid for again, since the sale freed their cost.
    """
    buys = _one_way(rates, exposure, position, orders, side=TransactionType.BUY)
    sells = _one_way(rates, exposure, position, orders, side=TransactionType.SELL)
    return max(buys, sells)


def is_reducing(position: PositionState, orders: OpenOrders, side: TransactionType, quantity: int) -> bool:
    """True when the order, after all working orders of its side, still only closes what is open."""
    return orders.quantity(side) + quantity <= _closable(position, side)


def _closable(position: PositionState, side: TransactionType) -> int:
    """Units of the position that trades of `side` close without money."""
    if position.product is Product.CNC and side is TransactionType.BUY:
        return 0
    return max(-side.sign * position.quantity, 0)


def _one_way(
    rates: MarginRates,
    exposure: Exposure,
    position: PositionState,
    orders: OpenOrders,
    *,
    side: TransactionType,
) -> Decimal:
    is_buy = side is TransactionType.BUY
    open_this_way = position.quantity if is_buy else -position.quantity
    ordered, ordered_value = (
        (orders.buy_quantity, orders.buy_value) if is_buy else (orders.sell_quantity, orders.sell_value)
    )
    if ordered == 0 and open_this_way <= 0:
        return ZERO
    held, closing = max(open_this_way, 0), _closable(position, side)
    opening = max(ordered - closing, 0)
    opening_value = ordered_value * opening / ordered if opening else ZERO
    held_value = position.open_value if held else ZERO
    return rates.required(exposure, side, held + opening, held_value + opening_value)
