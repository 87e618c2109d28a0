"""Is this an order the exchange could take? A failed check is the caller's to mend: no row is written, the key stays unused.

Each rule names the field, what was wrong and what would be right. Sources are in `docs/orders.md`.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

from vyomo_contracts.capabilities import CAPABILITIES, BrokerCapabilities
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.messages import Problem
from vyomo_contracts.money import is_on_tick, nearest_ticks
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    InstrumentKind,
    OrderType,
    Product,
    TransactionType,
    Validity,
)

Rule = Callable[[OrderRequest, Instrument], Problem | None]

CASH_PRODUCTS: Final = frozenset({Product.CNC, Product.MIS})
DERIVATIVE_PRODUCTS: Final = frozenset({Product.NRML, Product.MIS})


def validate(request: OrderRequest, instrument: Instrument, *, broker: Broker, today: date) -> Problem | None:
    """The first rule that fails, or None. `today` is the trading day in India."""
    capabilities = CAPABILITIES[broker]
    if instrument.kind is InstrumentKind.INDEX and not capabilities.takes_indices:
        return _problem(
            ReasonCode.INSTRUMENT_NOT_ORDERABLE,
            "symbol",
            f"{instrument.symbol} is an index: it can be ordered on paper accounts only; order its futures or options instead",
        )
    if instrument.expiry is not None and instrument.expiry < today:
        return _problem(
            ReasonCode.INSTRUMENT_EXPIRED,
            "symbol",
            f"{instrument.symbol} expired on {instrument.expiry.isoformat()}",
        )
    problem = _offered(request, capabilities)
    if problem is not None:
        return problem
    for rule in RULES:
        problem = rule(request, instrument)
        if problem is not None:
            return problem
    return None


def _offered(request: OrderRequest, capabilities: BrokerCapabilities) -> Problem | None:
    """What the exchange would take and the account's broker does not."""
    for code, field, wanted, allowed in (
        (ReasonCode.EXCHANGE_NOT_ALLOWED, "exchange", request.exchange, capabilities.exchanges),
        (ReasonCode.ORDER_TYPE_NOT_ALLOWED, "orderType", request.order_type, capabilities.order_types),
        (ReasonCode.PRODUCT_NOT_ALLOWED, "product", request.product, capabilities.products),
        (ReasonCode.VALIDITY_NOT_ALLOWED, "validity", request.validity, capabilities.validities),
    ):
        if wanted not in allowed:
            return _problem(
                code,
                field,
                f"{wanted} is not possible on {capabilities.broker} accounts; use {', '.join(allowed)}",
                allowed=list(allowed),
            )
    return None


def unknown_instrument(request: OrderRequest, listed_on: list[str]) -> Problem:
    """Why a symbol was not found: it does not exist, or only elsewhere."""
    if listed_on:
        return _problem(
            ReasonCode.WRONG_EXCHANGE,
            "exchange",
            f"{request.symbol} is not listed on {request.exchange}; it is on {', '.join(listed_on)}",
            listedOn=listed_on,
        )
    return _problem(
        ReasonCode.UNKNOWN_SYMBOL,
        "symbol",
        f"{request.symbol} is not known on {request.exchange}; GET /api/instruments?q={request.symbol[:20]} finds similar ones",
    )


def _quantity(request: OrderRequest, instrument: Instrument) -> Problem | None:
    if request.quantity <= 0:
        return _problem(
            ReasonCode.QUANTITY_NOT_POSITIVE,
            "quantity",
            f"quantity must be at least {instrument.lot_size}; it is {request.quantity}",
        )
    if request.quantity % instrument.lot_size:
        below = request.quantity // instrument.lot_size * instrument.lot_size
        nearest = [str(quantity) for quantity in (below, below + instrument.lot_size) if quantity]
        return _problem(
            ReasonCode.QUANTITY_NOT_LOT_MULTIPLE,
            "quantity",
            f"quantity must be a multiple of the lot size {instrument.lot_size}; {request.quantity} is not, "
            f"{' or '.join(nearest)} would be",
            lotSize=instrument.lot_size,
        )
    return None


def _product(request: OrderRequest, instrument: Instrument) -> Problem | None:
    allowed = CASH_PRODUCTS if instrument.exchange.is_cash else DERIVATIVE_PRODUCTS
    if request.product in allowed:
        return None
    return _problem(
        ReasonCode.PRODUCT_NOT_ALLOWED,
        "product",
        f"{request.product} is not possible on {instrument.exchange}; use {' or '.join(sorted(allowed))}",
        allowed=sorted(allowed),
    )


def _order_type(request: OrderRequest, instrument: Instrument) -> Problem | None:
    # Exchanges stopped SL-M on options on 27 September 2021 (NSE/FAOP/49505 and the BSE equivalent).
    if request.order_type is OrderType.SL_M and instrument.kind is InstrumentKind.OPTION:
        return _problem(
            ReasonCode.ORDER_TYPE_NOT_ALLOWED,
            "orderType",
            "SL-M is not possible on options; use SL with a price",
        )
    return None


def _validity(request: OrderRequest, instrument: Instrument) -> Problem | None:
    # MCX takes no IOC from programs since 1 April 2026.
    if request.validity is Validity.IOC and instrument.exchange is Exchange.MCX:
        return _problem(ReasonCode.VALIDITY_NOT_ALLOWED, "validity", "IOC is not possible on MCX; use DAY")
    return None


def _price(request: OrderRequest, instrument: Instrument) -> Problem | None:
    if not request.order_type.takes_price:
        return None
    if request.price <= 0:
        return _problem(
            ReasonCode.PRICE_REQUIRED, "price", f"a {request.order_type} order needs a price above 0"
        )
    return _on_tick(request.price, instrument, "price", ReasonCode.PRICE_OFF_TICK) or _within_band(
        request.price, instrument
    )


def _trigger_price(request: OrderRequest, instrument: Instrument) -> Problem | None:
    if not request.order_type.takes_trigger_price:
        return None
    trigger = request.trigger_price
    if trigger is None or trigger <= 0:
        return _problem(
            ReasonCode.TRIGGER_PRICE_REQUIRED,
            "triggerPrice",
            f"an {request.order_type} order needs a triggerPrice above 0",
        )
    return _on_tick(trigger, instrument, "triggerPrice", ReasonCode.TRIGGER_PRICE_OFF_TICK) or _trigger_side(
        request, trigger
    )


def _trigger_side(request: OrderRequest, trigger: Decimal) -> Problem | None:
    """A stop-limit must still be fillable when it triggers: a BUY's limit at or above its trigger, a SELL's at or below."""
    if request.order_type is not OrderType.SL:
        return None
    is_buy = request.transaction_type is TransactionType.BUY
    if trigger == request.price or (trigger < request.price) is is_buy:
        return None
    side = "at or below" if is_buy else "at or above"
    return _problem(
        ReasonCode.TRIGGER_PRICE_WRONG_SIDE,
        "triggerPrice",
        f"for a {request.transaction_type} SL order triggerPrice must be {side} price; {_plain(trigger)} is not, "
        f"price is {_plain(request.price)}",
    )


def _on_tick(price: Decimal, instrument: Instrument, field: str, code: ReasonCode) -> Problem | None:
    tick = instrument.tick_size
    if is_on_tick(price, tick):
        return None
    below, above = (_plain(each) for each in nearest_ticks(price, tick))
    return _problem(
        code,
        field,
        f"{field} must be a multiple of the tick size {_plain(tick)}; {_plain(price)} is not, {below} or {above} would be",
        tickSize=_plain(tick),
    )


def _within_band(price: Decimal, instrument: Instrument) -> Problem | None:
    lower, upper = instrument.lower_band, instrument.upper_band
    if lower is None or upper is None or lower <= price <= upper:
        return None
    return _problem(
        ReasonCode.PRICE_OUTSIDE_BAND,
        "price",
        f"price must be within today's band of {_plain(lower)} to {_plain(upper)}; it is {_plain(price)}",
        lower=_plain(lower),
        upper=_plain(upper),
    )


RULES: Final[tuple[Rule, ...]] = (_product, _order_type, _validity, _quantity, _price, _trigger_price)


def _plain(value: Decimal) -> str:
    """Without trailing zeros or exponent: what a person would type."""
    return f"{value.normalize():f}"


def _problem(code: ReasonCode, field: str, message: str, **detail: object) -> Problem:
    return Problem(code=code, field=field, message=message, detail=detail or None)
