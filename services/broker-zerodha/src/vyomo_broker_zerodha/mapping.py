"""Our words in Kite's, and Kite's rows in ours. Pure.

Source: Kite Connect v3, orders and portfolio. Quantities of both sides are units, on MCX lots.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from vyomo_broker_kit.exact import price_text
from vyomo_broker_kit.port import BookEntry, FundsEntry, PositionEntry, TradeEntry
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity

INDIA: Final = ZoneInfo("Asia/Kolkata")
_TIME: Final = "%Y-%m-%d %H:%M:%S"

AUTOMATIC_PROTECTION: Final = "-1"
"""Market orders of programs need a protection since 1 April 2026 (NSE/INVG/67858); this leaves the percentage to Zerodha."""

_TERMINAL: Final = {
    "COMPLETE": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
    "CANCEL": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
}
_ON_BOOK: Final = {"OPEN", "UPDATE", "CANCEL PENDING"}
_CHANGING: Final = {"MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED"}

_TAGS_OF_KITE: Final = ("mktp", "autoslice")
"""Kite puts its own remarks beside our tag: `mktp:2.00` is the protection it applied."""

_EXCHANGES: Final = frozenset(Exchange)
_PRODUCTS: Final = frozenset(Product)
_ORDER_TYPES: Final = frozenset(OrderType)


class OrderRow(BaseModel):
    """The columns of Kite's order book that mean something to us; it has more, and gets new ones."""

    order_id: str
    status: str
    status_message: str | None = None
    exchange: str
    tradingsymbol: str
    transaction_type: TransactionType
    order_type: str
    product: str
    validity: str
    quantity: int
    filled_quantity: int = 0
    price: Decimal = ZERO
    trigger_price: Decimal | None = None
    average_price: Decimal | None = None
    tag: str | None = None
    tags: list[str] | None = None
    order_timestamp: str
    exchange_update_timestamp: str | None = None


class TradeRow(BaseModel):
    trade_id: str
    order_id: str
    tradingsymbol: str
    transaction_type: TransactionType
    quantity: int
    average_price: Decimal
    fill_timestamp: str | None = None
    exchange_timestamp: str | None = None
    order_timestamp: str | None = None


class PositionRow(BaseModel):
    exchange: str
    tradingsymbol: str
    product: str
    quantity: int
    overnight_quantity: int = 0
    multiplier: Decimal = Decimal(1)
    average_price: Decimal = ZERO
    last_price: Decimal = ZERO
    buy_quantity: int = 0
    buy_value: Decimal = ZERO
    sell_quantity: int = 0
    sell_value: Decimal = ZERO
    realised: Decimal = ZERO


class _Available(BaseModel):
    live_balance: Decimal = ZERO


class _Utilised(BaseModel):
    debits: Decimal = ZERO


class SegmentFunds(BaseModel):
    net: Decimal
    available: _Available = _Available()
    utilised: _Utilised = _Utilised()


def place_form(order: Order) -> dict[str, str]:
    """The parameters of POST /orders/regular."""
    return {
        "exchange": order.exchange,
        "tradingsymbol": order.symbol,
        "transaction_type": order.transaction_type,
        "quantity": str(order.quantity),
        "product": order.product,
        "validity": order.validity,
        "tag": order.broker_tag,
        **_prices(order.order_type, order.price, order.trigger_price),
    }


def modify_form(order: Order, changes: OrderModification) -> dict[str, str]:
    """The parameters of PUT /orders/regular/{order_id}: the whole order as it shall be, so that none is left to what Kite has."""
    order_type = changes.order_type or order.order_type
    price = order.price if changes.price is None else changes.price
    trigger_price = order.trigger_price if changes.trigger_price is None else changes.trigger_price
    return {
        "quantity": str(changes.quantity or order.quantity),
        "validity": changes.validity or order.validity,
        **_prices(order_type, price, trigger_price),
    }


def _prices(order_type: OrderType, price: Decimal, trigger_price: Decimal | None) -> dict[str, str]:
    form = {"order_type": str(order_type)}
    if order_type.takes_price:
        form["price"] = price_text(price)
    else:
        form["market_protection"] = AUTOMATIC_PROTECTION
    if order_type in {OrderType.SL, OrderType.SL_M} and trigger_price is not None:
        form["trigger_price"] = price_text(trigger_price)
    return form


def state_of(status: str, order_type: str, quantity: int, filled_quantity: int) -> OrderState:
    """A word that Kite has not told us of is a living order: only its three last words end one."""
    ended = _TERMINAL.get(status)
    if ended is not None:
        return ended
    if filled_quantity > 0:
        return OrderState.FILLED if filled_quantity >= quantity else OrderState.PARTIALLY_FILLED
    if status in _ON_BOOK:
        return OrderState.OPEN
    if status == "TRIGGER PENDING":
        return OrderState.TRIGGER_PENDING
    if status in _CHANGING:
        # Whether a stop in this state has triggered is not said; the next status says it, a moment later.
        return OrderState.TRIGGER_PENDING if order_type in {"SL", "SL-M"} else OrderState.OPEN
    return OrderState.ACKNOWLEDGED


def book_entry(row: OrderRow) -> BookEntry | None:
    """None for an order in words that we have none for: a currency future, a cover order. Raises ValueError for a time that is none."""
    if row.exchange not in _EXCHANGES or row.product not in _PRODUCTS or row.order_type not in _ORDER_TYPES:
        return None
    return BookEntry(
        broker_order_id=row.order_id,
        tag=row.tag or next((tag for tag in row.tags or () if not tag.startswith(_TAGS_OF_KITE)), None),
        exchange=Exchange(row.exchange),
        symbol=row.tradingsymbol,
        transaction_type=row.transaction_type,
        order_type=OrderType(row.order_type),
        product=Product(row.product),
        validity=Validity.IOC if row.validity == "IOC" else Validity.DAY,
        state=state_of(row.status, row.order_type, row.quantity, row.filled_quantity),
        filled_quantity=row.filled_quantity,
        average_price=row.average_price or ZERO,
        quantity=row.quantity,
        price=row.price,
        trigger_price=row.trigger_price or None,
        text=row.status_message,
        placed_at=instant(row.order_timestamp),
        updated_at=instant(row.exchange_update_timestamp or row.order_timestamp),
    )


def trade_entry(row: TradeRow) -> TradeEntry:
    """Raises ValueError for a trade without a time."""
    return TradeEntry(
        trade_id=row.trade_id,
        broker_order_id=row.order_id,
        symbol=row.tradingsymbol,
        transaction_type=row.transaction_type,
        quantity=row.quantity,
        price=row.average_price,
        traded_at=instant(row.fill_timestamp or row.exchange_timestamp or row.order_timestamp or ""),
    )


def position_entry(row: PositionRow) -> PositionEntry | None:
    """None for a position in words that we have none for."""
    if row.exchange not in _EXCHANGES or row.product not in _PRODUCTS:
        return None
    return PositionEntry(
        exchange=Exchange(row.exchange),
        symbol=row.tradingsymbol,
        product=Product(row.product),
        quantity=row.quantity,
        overnight_quantity=row.overnight_quantity,
        multiplier=int(row.multiplier),
        average_price=row.average_price,
        buy_quantity=row.buy_quantity,
        buy_value=row.buy_value,
        sell_quantity=row.sell_quantity,
        sell_value=row.sell_value,
        realised=row.realised,
        last_price=row.last_price,
    )


def funds_entry(segments: Mapping[str, SegmentFunds]) -> FundsEntry:
    """All segments together. `net` is what new orders may use; `available.cash` is the opening ledger and is not."""
    available = sum((segment.net for segment in segments.values()), ZERO)
    used = sum((segment.utilised.debits for segment in segments.values()), ZERO)
    return FundsEntry(balance=available + used, used=used, available=available)


def instant(text: str) -> datetime:
    """Kite writes Indian time without saying so. Raises ValueError."""
    return datetime.strptime(text, _TIME).replace(tzinfo=INDIA).astimezone(UTC)
