"""What a broker must be able to do for us. An adapter is a client, a mapping and an error table behind this protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from vyomo_broker_kit.outcomes import Outcome
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """One row of a broker's order book, in our words. Fills are cumulative, as brokers report them."""

    broker_order_id: str
    tag: str | None
    """Our `broker_tag`, if the order is ours."""
    exchange: Exchange
    symbol: str
    transaction_type: TransactionType
    order_type: OrderType
    product: Product
    validity: Validity
    state: OrderState
    filled_quantity: int
    average_price: Decimal
    quantity: int
    price: Decimal
    trigger_price: Decimal | None
    text: str | None
    """The broker's own words on a rejection or cancellation."""
    placed_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEntry:
    """One row of a broker's trade book."""

    trade_id: str
    """The exchange's: unique within its order, and on some exchanges only within a day."""
    broker_order_id: str
    symbol: str
    transaction_type: TransactionType
    quantity: int
    price: Decimal
    traded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionEntry:
    """One row of a broker's net positions. `overnight_quantity` is the day's opening baseline: what no trade of today explains."""

    exchange: Exchange
    symbol: str
    product: Product
    quantity: int
    overnight_quantity: int = 0
    multiplier: int = 1
    average_price: Decimal = ZERO
    buy_quantity: int = 0
    buy_value: Decimal = ZERO
    sell_quantity: int = 0
    sell_value: Decimal = ZERO
    realised: Decimal = ZERO
    last_price: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsEntry:
    balance: Decimal
    used: Decimal
    available: Decimal


class BrokerPort(Protocol):
    """Calls for orders make exactly one request each: no retry, no redirect, a total time limit. They never raise.

    Reads may be repeated and raise `UnreadableError`, or `SessionOverError` when the broker asks for a new login.
    """

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        """`urgent` goes its own way past entries that hang."""
        ...

    async def modify(self, order: Order, changes: OrderModification) -> Outcome: ...

    async def cancel(self, order: Order) -> Outcome: ...

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        """Today's orders of the account, also those placed elsewhere."""
        ...

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        """Today's trades of the account."""
        ...

    async def positions(self, account_id: int) -> Sequence[PositionEntry]: ...

    async def funds(self, account_id: int) -> FundsEntry: ...


class UnreadableError(Exception):
    """A book could not be read; nothing may be concluded from that."""


class SessionOverError(UnreadableError):
    """The broker wants a new login before it answers anything for this account."""
