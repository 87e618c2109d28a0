"""The exchange's own gate: it checks what reaches it, whoever checked before (market.md §2, §3).

Between accept and execution the catalogue may have changed, and orders may come by other doors than the router's.
"""

from typing import Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.money import is_on_tick
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OrderType, Product, Validity
from vyomo_paper_exchange.domain.catalogue.built_in import largest_order
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.working import WorkingOrder

_CASH_PRODUCTS: Final = frozenset({Product.CNC, Product.MIS})
_DERIVATIVE_PRODUCTS: Final = frozenset({Product.NRML, Product.MIS})


def check_rules(order: WorkingOrder, instrument: Instrument) -> Refusal | None:
    """The first rule of the instrument that the order breaks."""
    return (
        _check_kind(order, instrument)
        or _check_quantity(order, instrument)
        or _check_prices(order, instrument)
    )


def _check_kind(order: WorkingOrder, instrument: Instrument) -> Refusal | None:
    allowed = _CASH_PRODUCTS if instrument.exchange.is_cash else _DERIVATIVE_PRODUCTS
    if order.product not in allowed:
        return Refusal(
            ReasonCode.PRODUCT_NOT_ALLOWED,
            f"{order.product} is not possible on {order.exchange}; use {' or '.join(sorted(allowed))}",
        )
    if order.order_type is OrderType.SL_M and instrument.kind is InstrumentKind.OPTION:
        return Refusal(
            ReasonCode.ORDER_TYPE_NOT_ALLOWED, "SL-M is not possible on options; use SL with a price"
        )
    if order.validity is Validity.IOC and order.exchange is Exchange.MCX:
        return Refusal(ReasonCode.VALIDITY_NOT_ALLOWED, "IOC is not possible on MCX; use DAY")
    return None


def _check_quantity(order: WorkingOrder, instrument: Instrument) -> Refusal | None:
    if order.quantity % instrument.lot_size:
        return Refusal(
            ReasonCode.QUANTITY_NOT_LOT_MULTIPLE,
            f"quantity {order.quantity} is not a multiple of the lot size {instrument.lot_size}",
        )
    largest = largest_order(instrument)
    if largest is not None and order.quantity > largest:
        return Refusal(
            ReasonCode.RISK_QUANTITY_ABOVE_FREEZE,
            f"quantity {order.quantity} is more than one order may have; the largest is {largest}",
        )
    return None


def _check_prices(order: WorkingOrder, instrument: Instrument) -> Refusal | None:
    tick = instrument.tick_size
    if order.trigger_price is not None and not is_on_tick(order.trigger_price, tick):
        return Refusal(
            ReasonCode.TRIGGER_PRICE_OFF_TICK,
            f"trigger price {order.trigger_price:f} is not a multiple of the tick size {tick:f}",
        )
    if not order.order_type.takes_price:
        return None
    if not is_on_tick(order.price, tick):
        return Refusal(
            ReasonCode.PRICE_OFF_TICK, f"price {order.price:f} is not a multiple of the tick size {tick:f}"
        )
    lower, upper = instrument.lower_band, instrument.upper_band
    if lower is None or upper is None or lower <= order.price <= upper:
        return None
    return Refusal(
        ReasonCode.PRICE_OUTSIDE_BAND,
        f"price {order.price:f} is outside the day's band from {lower:f} to {upper:f}",
    )
