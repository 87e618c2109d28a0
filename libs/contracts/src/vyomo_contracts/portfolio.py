"""Positions, holdings and funds, and the arithmetic that values them (Kite's conventions)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.money import ZERO, RecordedMoney, RecordedPrice, to_price
from vyomo_contracts.vocabulary import Broker, Exchange, Product


class Position(Tolerant):
    """A day's position in one instrument and product; kept at zero quantity until the day rolls, as Kite's net list does."""

    account_id: int
    user_id: str
    broker: Broker
    exchange: Exchange
    symbol: str
    product: Product
    quantity: int
    """Net units, negative when short."""
    overnight_quantity: int = 0
    multiplier: int = 1
    average_price: RecordedPrice
    """Average of all buys while net long, of all sells while net short, 0 when flat (not a lot average)."""
    buy_quantity: int = 0
    buy_value: RecordedMoney = ZERO
    """Sum of quantity x price x multiplier of all buys, the overnight part at its carried average."""
    sell_quantity: int = 0
    sell_value: RecordedMoney = ZERO
    realised: RecordedMoney = ZERO
    """Gross profit of closed lots, first in first out."""
    last_price: RecordedPrice = ZERO
    """Price when the row was written; value a position with a quote, not with this."""
    version: int
    updated_at: Instant


class Holding(Tolerant):
    account_id: int
    exchange: Exchange
    symbol: str
    quantity: int
    average_price: RecordedPrice
    last_price: RecordedPrice = ZERO
    version: int
    updated_at: Instant


class Funds(Tolerant):
    """An account's money. `balance` and `available` are None on an account with unlimited capital."""

    account_id: int
    user_id: str
    broker: Broker
    balance: RecordedMoney | None = None
    used: RecordedMoney
    available: RecordedMoney | None = None
    version: int
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class Valuation:
    pnl: Decimal
    pnl_percent: Decimal
    realised: Decimal
    unrealised: Decimal


def value_position(position: Position, last_price: Decimal) -> Valuation:
    """Profit at `last_price`: (sell value - buy value) + quantity x price x multiplier.

    `pnl_percent` is of the open cost (|quantity| x average price x multiplier); of the bought value once flat.
    """
    multiplier = position.multiplier
    pnl = position.sell_value - position.buy_value + position.quantity * last_price * multiplier
    base = abs(position.quantity) * position.average_price * multiplier or position.buy_value
    return Valuation(
        pnl=to_price(pnl),
        pnl_percent=(pnl * 100 / base).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP) if base else ZERO,
        realised=position.realised,
        unrealised=to_price(pnl - position.realised),
    )
