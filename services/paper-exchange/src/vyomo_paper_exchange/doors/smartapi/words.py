"""Angel One's orders in the exchange's words, under the rules of the account's profile.

Source: SmartAPI, orders; the notice of 2026 that forbids MARKET and IOC to programs.
"""

from collections.abc import Mapping
from typing import Any, Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import OrderType, Product, TransactionType, Validity
from vyomo_paper_exchange.doors.logins import Profile
from vyomo_paper_exchange.doors.orders import DoorOrder, NewOrder, OrderChange
from vyomo_paper_exchange.doors.smartapi import parameters as read
from vyomo_paper_exchange.doors.smartapi.envelope import InputError
from vyomo_paper_exchange.doors.smartapi.parameters import Parameters

TAG_MAX: Final = 20

ORDER_TYPES: Final[Mapping[str, OrderType]] = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOPLOSS_LIMIT": OrderType.SL,
    "STOPLOSS_MARKET": OrderType.SL_M,
}
PRODUCTS: Final[Mapping[str, Product]] = {
    "DELIVERY": Product.CNC,
    "INTRADAY": Product.MIS,
    "CARRYFORWARD": Product.NRML,
}
DURATIONS: Final[Mapping[str, Validity]] = {"DAY": Validity.DAY, "IOC": Validity.IOC}
WORD_OF_TYPE: Final = {meaning: word for word, meaning in ORDER_TYPES.items()}
WORD_OF_PRODUCT: Final = {meaning: word for word, meaning in PRODUCTS.items()}
NO_MARKET: Final = "Market orders are not allowed via API. Please place a limit order."
NO_IOC: Final = "IOC orders are not allowed via API."
_UNPRICED: Final = {OrderType.MARKET, OrderType.SL_M}


def order_of(parameters: Parameters, instrument: Instrument, profile: Profile) -> NewOrder:
    order_type = read.meant(parameters, "ordertype", ORDER_TYPES)
    variety = _variety(parameters, order_type)
    validity = _duration(parameters) or Validity.DAY
    _need_profile(profile, order_type, validity)
    tag = parameters.get("ordertag") or None
    if tag is not None and len(tag) > TAG_MAX:
        raise InputError(f"ordertag length should be less than or equal to {TAG_MAX}", "AB4008")
    price, trigger = read.price(parameters, "price"), read.price(parameters, "triggerprice")
    if order_type.takes_price and price is None:
        raise InputError("Invalid price: it should be above 0")
    if order_type.takes_trigger_price and trigger is None:
        raise InputError("Invalid triggerprice: it should be above 0")
    details: dict[str, Any] = {
        "angel_variety": variety,
        "disclosed_quantity": read.whole(parameters, "disclosedquantity") or 0,
        "profile": profile,
    }
    return NewOrder(
        exchange=instrument.exchange,
        symbol=instrument.symbol,
        transaction_type=read.word(parameters, "transactiontype", TransactionType),
        order_type=order_type,
        product=read.meant(parameters, "producttype", PRODUCTS, "AB1012"),
        validity=validity,
        quantity=read.quantity(parameters),
        price=price or ZERO if order_type.takes_price else ZERO,
        trigger_price=trigger if order_type.takes_trigger_price else None,
        tag=tag,
        details=details,
    )


def change_of(parameters: Parameters, order: DoorOrder, profile: Profile) -> OrderChange:
    """`quantity` is the new total. What is absent, empty or zero stays as it is."""
    working = order.working
    given = bool(parameters.get("ordertype"))
    order_type = read.meant(parameters, "ordertype", ORDER_TYPES) if given else working.order_type
    if order_type is OrderType.LIMIT and working.order_type is OrderType.SL and working.triggered_at:
        # A stop that was triggered is shown as the limit order that it has become.
        order_type = working.order_type
    _variety(parameters, order_type)
    validity = _duration(parameters)
    _need_profile(profile, order_type, validity)
    price, trigger = read.price(parameters, "price"), read.price(parameters, "triggerprice")
    if order_type.takes_price and price is None and not working.price:
        raise InputError("Invalid price: it should be above 0")
    if order_type.takes_trigger_price and trigger is None and working.trigger_price is None:
        raise InputError("Invalid triggerprice: it should be above 0")
    return OrderChange(
        quantity=read.whole(parameters, "quantity") or None,
        price=price if order_type.takes_price else None,
        trigger_price=trigger if order_type.takes_trigger_price else None,
        order_type=order_type if order_type is not working.order_type else None,
        validity=validity,
    )


def known_variety(parameters: Parameters) -> str:
    """Raises InputError for those that the sandbox does not take."""
    variety = read.needed(parameters, "variety")
    match variety:
        case "NORMAL" | "STOPLOSS":
            return variety
        case "ROBO":
            raise InputError("ROBO order is blocked", "AB2002")
        case "AMO":
            raise InputError("After market orders are not taken by the sandbox", "AB1008")
        case _:
            raise InputError("Invalid variety", "AB1008")


def variety_of(order: DoorOrder) -> str:
    stored: object = order.filing.details.get("angel_variety")
    if isinstance(stored, str):
        return stored
    return "STOPLOSS" if order.working.order_type.takes_trigger_price else "NORMAL"


def _variety(parameters: Parameters, order_type: OrderType) -> str:
    variety = known_variety(parameters)
    if order_type.takes_trigger_price != (variety == "STOPLOSS"):
        raise InputError(f"Invalid variety {variety} for this ordertype", "AB1008")
    return variety


def _duration(parameters: Parameters) -> Validity | None:
    return read.meant(parameters, "duration", DURATIONS) if parameters.get("duration") else None


def _need_profile(profile: Profile, order_type: OrderType, validity: Validity | None) -> None:
    if profile != "strict_2026":
        return
    if order_type in _UNPRICED:
        raise InputError(NO_MARKET)
    if validity is Validity.IOC:
        raise InputError(NO_IOC)
