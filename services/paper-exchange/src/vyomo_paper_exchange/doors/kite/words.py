"""Kite's orders in the exchange's words, under the rules of the account's profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts.money import ZERO
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange, OrderType, Product, TransactionType, Validity
from vyomo_paper_exchange.domain.protection import automatic_percent, protected_at
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.doors.kite import parameters as read
from vyomo_paper_exchange.doors.kite.envelope import (
    HoldingError,
    InputError,
    KiteError,
    MarginError,
    OrderError,
)
from vyomo_paper_exchange.doors.kite.parameters import Parameters
from vyomo_paper_exchange.doors.logins import Profile
from vyomo_paper_exchange.doors.orders import DoorOrder, NewOrder, OrderChange
from vyomo_paper_exchange.doors.prices import Priced

TAG_MAX: Final = 20
MODIFICATIONS_MAX: Final = 25
AUTOMATIC: Final = Decimal(-1)
_OTHER_VARIETIES: Final = {
    "amo": "After market orders are not taken by the sandbox.",
    "co": "Cover orders are not available in the sandbox.",
    "iceberg": "Iceberg orders are not available in the sandbox.",
    "auction": "Auction orders are not available in the sandbox.",
}
UNPROTECTED: Final = "Market orders without market protection are not allowed via API. Please set market protection or use a Limit order."
_UNPRICED: Final = {OrderType.MARKET, OrderType.SL_M}


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it was asked for, before anybody looked at the market."""

    order: NewOrder
    protection: Decimal | None
    """Percent, -1 for automatic; None for an order with a price of its own, or under the old rules."""


def variety_of(variety: str) -> str:
    """Raises InputError for all but `regular`."""
    if variety == "regular":
        return variety
    raise InputError(_OTHER_VARIETIES.get(variety, "Invalid `variety`."))


def order_of(parameters: Parameters, variety: str, profile: Profile) -> Asked:
    order_type = read.word(parameters, "order_type", OrderType)
    tag = parameters.get("tag", "").strip() or None
    if tag is not None and len(tag) > TAG_MAX:
        raise InputError(f"Invalid `tag`. It can have {TAG_MAX} characters at most.")
    price, trigger = read.price(parameters, "price"), read.price(parameters, "trigger_price")
    _need_prices(order_type, price, trigger)
    protection = _protection(parameters, order_type, profile)
    return Asked(
        NewOrder(
            exchange=read.word(parameters, "exchange", Exchange),
            symbol=read.needed(parameters, "tradingsymbol"),
            transaction_type=read.word(parameters, "transaction_type", TransactionType),
            order_type=order_type,
            product=read.word(parameters, "product", Product),
            validity=read.optional_word(parameters, "validity", Validity) or Validity.DAY,
            quantity=read.quantity(parameters),
            price=price or ZERO if order_type.takes_price else ZERO,
            trigger_price=trigger if order_type.takes_trigger_price else None,
            tag=tag,
            details={
                "variety": variety,
                "disclosed_quantity": read.whole(parameters, "disclosed_quantity") or 0,
                "profile": profile,
            },
        ),
        protection,
    )


def protected(asked: Asked, priced: Priced | None) -> NewOrder:
    """A market order as the order system passes it on: limited at the last price and the protection, and tagged so."""
    order, percent = asked.order, asked.protection
    if percent is None or priced is None:
        return order
    snapshot = priced.prices.snapshot
    reference = order.trigger_price or snapshot.last_price
    if percent == AUTOMATIC:
        percent = automatic_percent(priced.listing, reference, trading_day(snapshot.at))
        changes: dict[str, Any] = {}
    else:
        # The exchange protects by its own table; an explicit percentage is the order's own limit.
        limit = protected_at(priced.listing, order.transaction_type, reference, percent)
        changes = {
            "order_type": OrderType.LIMIT if order.order_type is OrderType.MARKET else OrderType.SL,
            "price": limit,
        }
    details = dict(order.details) | {"tags": ["mktp", f"mktp:{percent:.2f}"]}
    return NewOrder(
        exchange=order.exchange,
        symbol=order.symbol,
        transaction_type=order.transaction_type,
        order_type=changes.get("order_type", order.order_type),
        product=order.product,
        validity=order.validity,
        quantity=order.quantity,
        price=changes.get("price", order.price),
        trigger_price=order.trigger_price,
        tag=order.tag,
        details=details,
    )


def change_of(parameters: Parameters, order: DoorOrder, profile: Profile) -> OrderChange:
    """`quantity` is the new total. What is absent, empty or zero stays as it is."""
    working = order.working
    order_type = read.optional_word(parameters, "order_type", OrderType)
    price, trigger = read.price(parameters, "price"), read.price(parameters, "trigger_price")
    if order_type is None and price is not None and working.order_type is OrderType.MARKET:
        # Shown to the client as the limit order that it has become.
        order_type = OrderType.LIMIT
    if order_type is OrderType.LIMIT and working.order_type is OrderType.MARKET and price is None:
        price = working.protection_price
    becomes = order_type or working.order_type
    if order_type is not None and order_type is not working.order_type:
        _need_prices(order_type, price or working.price or None, trigger or working.trigger_price)
        _protection(parameters, order_type, profile)
    if order.filing.modifications >= MODIFICATIONS_MAX:
        raise InputError("Maximum allowed order modifications exceeded.")
    return OrderChange(
        quantity=read.whole(parameters, "quantity") or None,
        price=price if becomes.takes_price else None,
        trigger_price=trigger if becomes.takes_trigger_price else None,
        order_type=order_type if order_type is not working.order_type else None,
        validity=read.optional_word(parameters, "validity", Validity),
    )


def error_of(refusal: Refusal) -> KiteError:
    """How Kite says no to what the exchange refuses."""
    kind = _ERRORS.get(refusal.code, InputError)
    return kind(refusal.message[:1].upper() + refusal.message[1:] + ".")


_ERRORS: Final[Mapping[ReasonCode, type[KiteError]]] = {
    ReasonCode.MARGIN_INSUFFICIENT: MarginError,
    ReasonCode.HOLDINGS_INSUFFICIENT: HoldingError,
    ReasonCode.ORDER_NOT_PENDING: OrderError,
}


def _need_prices(order_type: OrderType, price: Decimal | None, trigger: Decimal | None) -> None:
    if order_type.takes_price and price is None:
        raise InputError(f"Invalid `price`. It should be above 0 for {order_type} orders.")
    if order_type.takes_trigger_price and trigger is None:
        raise InputError(f"Invalid `trigger_price`. It should be above 0 for {order_type} orders.")


def _protection(parameters: Parameters, order_type: OrderType, profile: Profile) -> Decimal | None:
    text = parameters.get("market_protection", "").strip()
    percent = read.decimal_of(text, "market_protection") if text else ZERO
    if percent != AUTOMATIC and not 0 <= percent <= 100:
        raise InputError("Invalid `market_protection`. It should be -1 or a percentage up to 100.")
    if order_type not in _UNPRICED:
        return None
    if percent == 0:
        if profile == "strict_2026":
            raise InputError(UNPROTECTED)
        return None
    return percent
