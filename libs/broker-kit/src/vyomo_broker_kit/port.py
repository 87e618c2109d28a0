"""What a broker must be able to do for us. An adapter is a client, a mapping and an error table behind this protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from vyomo_broker_kit.outcomes import Outcome
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    """One row of a broker's order book, in our words. Fills are cumulative, as brokers report them."""

    broker_order_id: str
    tag: str | None
    """Our `broker_tag`, if the order is ours."""
    state: OrderState
    filled_quantity: int
    average_price: Decimal
    quantity: int
    price: Decimal
    trigger_price: Decimal | None
    text: str | None
    """The broker's own words on a rejection or cancellation."""
    updated_at: datetime


class BrokerPort(Protocol):
    """Calls for orders make exactly one request each: no retry, no redirect, a total time limit. They never raise."""

    async def place(self, order: Order) -> Outcome: ...

    async def modify(self, order: Order, changes: OrderModification) -> Outcome: ...

    async def cancel(self, order: Order) -> Outcome: ...

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        """Today's orders of the account. Raises `BookUnreadableError`; a read may be repeated."""
        ...


class BookUnreadableError(Exception):
    """The order book could not be read; nothing may be concluded from that."""
