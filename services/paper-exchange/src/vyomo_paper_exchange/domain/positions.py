"""Positions by Kite's conventions, with first-in-first-out lots for what is realised (market.md §8)."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import Broker, Exchange, Product, TransactionType

LOTS_MAX: Final = 64
"""Lots kept of one position. Beyond it the two newest are averaged: total profit stays exact, only its split between realised
and unrealised can move, and a program that scales in for hours does not make its row grow for ever."""


class Lot(NamedTuple):
    """Open units that were traded together: `quantity` is signed, `value` is their positive cost including the multiplier."""

    quantity: int
    value: Decimal


Lots = tuple[Lot, ...]


class PositionState(NamedTuple):
    """One instrument and product of one account since its day began."""

    exchange: Exchange
    symbol: str
    product: Product
    multiplier: int = 1
    quantity: int = 0
    overnight_quantity: int = 0
    overnight_value: Decimal = ZERO
    """Cost of the overnight part at its carried average, signed like its quantity."""
    buy_quantity: int = 0
    buy_value: Decimal = ZERO
    sell_quantity: int = 0
    sell_value: Decimal = ZERO
    realised: Decimal = ZERO
    lots: Lots = ()
    version: int = 0

    @property
    def average_price(self) -> Decimal:
        """Average of all buys while long, of all sells while short, 0 when flat: not an average of the open lots."""
        if self.quantity > 0:
            return to_price(self.buy_value / self.buy_quantity / self.multiplier)
        if self.quantity < 0:
            return to_price(self.sell_value / self.sell_quantity / self.multiplier)
        return ZERO

    @property
    def open_value(self) -> Decimal:
        """Cost of the open lots, first in first out."""
        return sum((lot.value for lot in self.lots), ZERO)

    @property
    def open_lot_average(self) -> Decimal:
        return to_price(self.open_value / abs(self.quantity) / self.multiplier) if self.quantity else ZERO

    def profit(self, last_price: Decimal) -> Decimal:
        """Realised and unrealised together, by the exchange-side formula: sells - buys + what is open at the last price."""
        return self.sell_value - self.buy_value + self.quantity * last_price * self.multiplier

    def unrealised(self, last_price: Decimal) -> Decimal:
        """Profit of the open lots alone."""
        sign = 1 if self.quantity > 0 else -1
        return self.quantity * last_price * self.multiplier - sign * self.open_value

    def mark_to_market(self, previous_close: Decimal, last_price: Decimal) -> Decimal:
        """Today's profit: the overnight part counts from the previous close, not from its cost."""
        settled = self.overnight_quantity * previous_close * self.multiplier - self.overnight_value
        return self.profit(last_price) - settled


def apply_fill(
    position: PositionState, side: TransactionType, quantity: int, price: Decimal
) -> PositionState:
    """The position after one trade. A trade through zero closes the old lots and opens the rest at its own price."""
    value = quantity * price * position.multiplier
    signed = side.sign * quantity
    lots, closed_quantity, closed_cost = take_lots(position.lots, signed)
    closed_value = closed_quantity * price * position.multiplier
    opened = quantity - closed_quantity
    if opened:
        lots = add_lot(lots, Lot(side.sign * opened, value - closed_value))
    is_buy = side is TransactionType.BUY
    return PositionState(
        exchange=position.exchange,
        symbol=position.symbol,
        product=position.product,
        multiplier=position.multiplier,
        quantity=position.quantity + signed,
        overnight_quantity=position.overnight_quantity,
        overnight_value=position.overnight_value,
        buy_quantity=position.buy_quantity + (quantity if is_buy else 0),
        buy_value=position.buy_value + (value if is_buy else ZERO),
        sell_quantity=position.sell_quantity + (0 if is_buy else quantity),
        sell_value=position.sell_value + (ZERO if is_buy else value),
        realised=position.realised + (closed_cost - closed_value if is_buy else closed_value - closed_cost),
        lots=lots,
        version=position.version + 1,
    )


def take_lots(lots: Lots, signed: int) -> tuple[Lots, int, Decimal]:
    """Close the oldest lots against a trade of `signed` units: what stays, how many units closed, and their cost."""
    if not lots or (lots[0].quantity > 0) == (signed > 0):
        return lots, 0, ZERO
    wanted, cost, index = abs(signed), ZERO, 0
    while wanted and index < len(lots):
        lot = lots[index]
        size = abs(lot.quantity)
        if size > wanted:
            # The remainder keeps what the closed part leaves, so that no fraction of a paisa is lost to rounding.
            part = to_price(lot.value * wanted / size)
            rest = Lot(lot.quantity - (wanted if lot.quantity > 0 else -wanted), lot.value - part)
            return (rest, *lots[index + 1 :]), abs(signed), cost + part
        wanted -= size
        cost += lot.value
        index += 1
    return lots[index:], abs(signed) - wanted, cost


def add_lot(lots: Lots, lot: Lot) -> Lots:
    """Append a lot; one at the same price as the newest, or beyond the limit, joins it."""
    if lots:
        newest = lots[-1]
        has_same_price = newest.value * lot.quantity == lot.value * newest.quantity
        if has_same_price or len(lots) >= LOTS_MAX:
            return (*lots[:-1], Lot(newest.quantity + lot.quantity, newest.value + lot.value))
    return (*lots, lot)


def carried_over(position: PositionState) -> PositionState | None:
    """The position as the next day begins with it, restarted at its open lots; None when nothing is open."""
    if position.quantity == 0:
        return None
    is_long = position.quantity > 0
    cost = position.open_value
    return position._replace(
        overnight_quantity=position.quantity,
        overnight_value=cost if is_long else -cost,
        buy_quantity=position.quantity if is_long else 0,
        buy_value=cost if is_long else ZERO,
        sell_quantity=0 if is_long else -position.quantity,
        sell_value=ZERO if is_long else cost,
        realised=ZERO,
        version=position.version + 1,
    )


def to_contract(
    position: PositionState, *, account_id: int, user_id: str, last_price: Decimal, at: datetime
) -> Position:
    """The position as everyone else sees it."""
    return Position(
        account_id=account_id,
        user_id=user_id,
        broker=Broker.PAPER,
        exchange=position.exchange,
        symbol=position.symbol,
        product=position.product,
        quantity=position.quantity,
        overnight_quantity=position.overnight_quantity,
        multiplier=position.multiplier,
        average_price=position.average_price,
        buy_quantity=position.buy_quantity,
        buy_value=position.buy_value,
        sell_quantity=position.sell_quantity,
        sell_value=position.sell_value,
        realised=position.realised,
        last_price=last_price,
        version=position.version,
        updated_at=at,
    )
