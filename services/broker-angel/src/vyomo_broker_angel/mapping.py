"""Our words in Angel One's, and its rows in ours. Pure.

Source: SmartAPI, orders and portfolio. Texts may be empty where other brokers write a zero; quantities are units.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator

from vyomo_broker_angel.naming import Named
from vyomo_broker_angel.protection import protected_price
from vyomo_broker_angel.session import INDIA
from vyomo_broker_kit.exact import price_text
from vyomo_broker_kit.port import BookEntry, FundsEntry, PositionEntry, TradeEntry
from vyomo_contracts.capabilities import CAPABILITIES
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
    Validity,
)

EXCHANGES: Final = frozenset(CAPABILITIES[Broker.ANGEL].exchanges)
_PRODUCTS: Final = {"DELIVERY": Product.CNC, "INTRADAY": Product.MIS, "CARRYFORWARD": Product.NRML}
_WORD_OF_PRODUCT: Final = {product: word for word, product in _PRODUCTS.items()}
_ORDER_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOPLOSS_LIMIT": OrderType.SL,
    "STOPLOSS_MARKET": OrderType.SL_M,
}
_TERMINAL: Final = {
    "complete": OrderState.FILLED,
    "cancelled": OrderState.CANCELLED,
    "cancelled after market order": OrderState.CANCELLED,
    "rejected": OrderState.REJECTED,
}
_ON_BOOK: Final = {"open", "not modified", "not cancelled", "cancel pending"}
_CHANGING: Final = {"modified", "modify pending", "modify validation pending"}
_TIME: Final = "%d-%b-%Y %H:%M:%S"


def _number(value: Any) -> Any:
    """Empty texts are zeros."""
    return 0 if value is None or value == "" else value


Quantity = Annotated[int, BeforeValidator(_number)]
Amount = Annotated[Decimal, BeforeValidator(_number)]


class OrderRow(BaseModel):
    orderid: str
    status: str
    text: str | None = None
    exchange: str
    tradingsymbol: str
    transactiontype: TransactionType
    ordertype: str
    producttype: str
    duration: str
    quantity: Quantity
    filledshares: Quantity = 0
    price: Amount = ZERO
    triggerprice: Amount = ZERO
    averageprice: Amount = ZERO
    ordertag: str | None = None
    updatetime: str
    exchorderupdatetime: str | None = None


class TradeRow(BaseModel):
    fillid: str
    orderid: str
    exchange: str
    tradingsymbol: str
    transactiontype: TransactionType
    fillsize: Quantity
    fillprice: Amount
    filltime: time


class PositionRow(BaseModel):
    exchange: str
    tradingsymbol: str
    producttype: str
    netqty: Quantity
    buyqty: Quantity = 0
    sellqty: Quantity = 0
    cfbuyqty: Quantity = 0
    cfsellqty: Quantity = 0
    totalbuyvalue: Amount = ZERO
    totalsellvalue: Amount = ZERO
    netprice: Amount = ZERO
    ltp: Amount = ZERO
    realised: Amount = ZERO


class Funds(BaseModel):
    net: Amount
    utiliseddebits: Amount = ZERO


@dataclass(frozen=True, slots=True)
class Terms:
    """An order's prices as Angel One takes them: it has no market orders."""

    order_type: OrderType
    price: Decimal
    trigger_price: Decimal

    @classmethod
    def of(
        cls, order: Order, named: Named, last_price: Decimal | None, changes: OrderModification | None = None
    ) -> "Terms":
        """`last_price` is needed where `needs_last_price` says so."""
        changes = changes or OrderModification()
        order_type = changes.order_type or order.order_type
        price = order.price if changes.price is None else changes.price
        trigger_price = (
            order.trigger_price if changes.trigger_price is None else changes.trigger_price
        ) or ZERO
        match order_type:
            case OrderType.MARKET:
                assert last_price is not None
                price = protected_price(named.instrument, order.transaction_type, last_price)
                return cls(OrderType.LIMIT, price, ZERO)
            case OrderType.SL_M:
                price = protected_price(named.instrument, order.transaction_type, trigger_price)
                return cls(OrderType.SL, price, trigger_price)
            case OrderType.SL:
                return cls(order_type, price, trigger_price)
            case OrderType.LIMIT:
                return cls(order_type, price, ZERO)

    @property
    def fields(self) -> dict[str, str]:
        return {
            "ordertype": "STOPLOSS_LIMIT" if self.order_type is OrderType.SL else "LIMIT",
            "price": price_text(self.price),
            "triggerprice": price_text(self.trigger_price),
        }


def needs_last_price(order: Order, changes: OrderModification | None = None) -> bool:
    return ((changes.order_type if changes else None) or order.order_type) is OrderType.MARKET


def place_body(order: Order, named: Named, terms: Terms) -> dict[str, str]:
    """Of placeOrder."""
    return {
        "variety": _variety(terms.order_type),
        "tradingsymbol": named.trading_symbol,
        "symboltoken": named.token,
        "exchange": order.exchange,
        "transactiontype": order.transaction_type,
        "producttype": _WORD_OF_PRODUCT[order.product],
        "duration": Validity.DAY,
        "quantity": str(order.quantity),
        "ordertag": order.broker_tag,
        **terms.fields,
    }


def modify_body(order: Order, changes: OrderModification, named: Named, terms: Terms) -> dict[str, str]:
    """Of modifyOrder: the whole order as it shall be, so that none is left to what Angel One has."""
    return {
        "variety": _variety(terms.order_type),
        "orderid": order.broker_order_id or "",
        "tradingsymbol": named.trading_symbol,
        "symboltoken": named.token,
        "exchange": order.exchange,
        "producttype": _WORD_OF_PRODUCT[order.product],
        "duration": Validity.DAY,
        "quantity": str(changes.quantity or order.quantity),
        **terms.fields,
    }


def cancel_body(order: Order) -> dict[str, str]:
    """Of cancelOrder, which wants the order's own variety."""
    return {"variety": _variety(order.order_type), "orderid": order.broker_order_id or ""}


def _variety(order_type: OrderType) -> str:
    return "STOPLOSS" if order_type.takes_trigger_price else "NORMAL"


def state_of(row: OrderRow) -> OrderState:
    """A word that Angel One has not told us of is a living order: only its last words end one."""
    status = row.status.strip().lower()
    ended = _TERMINAL.get(status)
    if ended is not None:
        return ended
    if row.filledshares > 0:
        return OrderState.FILLED if row.filledshares >= row.quantity else OrderState.PARTIALLY_FILLED
    if status in _ON_BOOK:
        return OrderState.OPEN
    if status == "trigger pending":
        return OrderState.TRIGGER_PENDING
    if status in _CHANGING:
        # Whether a stop in this state has triggered is not said; the next status says it, a moment later.
        is_stop = row.ordertype.startswith("STOPLOSS")
        return OrderState.TRIGGER_PENDING if is_stop else OrderState.OPEN
    return OrderState.ACKNOWLEDGED


def is_ours(exchange: str, product: str, order_type: str = "LIMIT") -> bool:
    """Whether we have words for it: not for a currency future or a bracket order."""
    return exchange in EXCHANGES and product in _PRODUCTS and order_type in _ORDER_TYPES


def book_entry(row: OrderRow, symbol: str) -> BookEntry:
    """Raises ValueError for a time that is none."""
    return BookEntry(
        broker_order_id=row.orderid,
        tag=row.ordertag or None,
        exchange=Exchange(row.exchange),
        symbol=symbol,
        transaction_type=row.transactiontype,
        order_type=_ORDER_TYPES[row.ordertype],
        product=_PRODUCTS[row.producttype],
        validity=Validity.IOC if row.duration == "IOC" else Validity.DAY,
        state=state_of(row),
        filled_quantity=row.filledshares,
        average_price=row.averageprice,
        quantity=row.quantity,
        price=row.price,
        trigger_price=row.triggerprice or None,
        text=row.text or None,
        # The book has no time of arrival: the row's last change is the nearest that it tells.
        placed_at=instant(row.updatetime),
        updated_at=instant(row.exchorderupdatetime or row.updatetime),
    )


def trade_entry(row: TradeRow, symbol: str, today: date) -> TradeEntry:
    """`today` is India's: the trade book is the day's and tells the time of day alone."""
    return TradeEntry(
        trade_id=row.fillid,
        broker_order_id=row.orderid,
        symbol=symbol,
        transaction_type=row.transactiontype,
        quantity=row.fillsize,
        price=row.fillprice,
        traded_at=datetime.combine(today, row.filltime, INDIA).astimezone(UTC),
    )


def position_entry(row: PositionRow, symbol: str) -> PositionEntry:
    return PositionEntry(
        exchange=Exchange(row.exchange),
        symbol=symbol,
        product=_PRODUCTS[row.producttype],
        quantity=row.netqty,
        overnight_quantity=row.cfbuyqty - row.cfsellqty,
        average_price=row.netprice,
        buy_quantity=row.buyqty + row.cfbuyqty,
        buy_value=row.totalbuyvalue,
        sell_quantity=row.sellqty + row.cfsellqty,
        sell_value=row.totalsellvalue,
        realised=row.realised,
        last_price=row.ltp,
    )


def funds_entry(funds: Funds) -> FundsEntry:
    """`net` is what new orders may use."""
    used = funds.utiliseddebits
    return FundsEntry(balance=funds.net + used, used=used, available=funds.net)


def instant(text: str) -> datetime:
    """`11-Apr-2025 12:15:21`, in Indian time. Raises ValueError."""
    return datetime.strptime(text, _TIME).replace(tzinfo=INDIA).astimezone(UTC)
