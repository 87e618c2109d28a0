"""What an order must pass at the exchange before it may trade; each refusal says what would be right."""

from collections.abc import Mapping
from decimal import Decimal

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange, OrderType, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import AccountBook
from vyomo_paper_exchange.domain.margins import OpenOrders, is_reducing
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.protection import protection_price
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.rules import check_rules
from vyomo_paper_exchange.domain.sessions import Session, SessionTableExhaustedError
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.domain.view import MarketView
from vyomo_paper_exchange.domain.working import WorkingOrder, received


def admit(order: Order, book: AccountBook, view: MarketView) -> WorkingOrder | Refusal:
    """The order as the exchange takes it, or why it does not."""
    listing = view.listing(order.exchange, order.symbol)
    if listing is None:
        return Refusal(
            ReasonCode.NO_QUOTE,
            f"{order.exchange}:{order.symbol} is not listed at the paper exchange, so it has no price",
        )
    settles_at = view.settles_at(listing)
    if settles_at is not None and settles_at <= view.at:
        return Refusal(
            ReasonCode.INSTRUMENT_EXPIRED,
            f"{order.symbol} expired on {listing.instrument.expiry} and no longer trades",
        )
    session = open_session(order.exchange, view)
    if isinstance(session, Refusal):
        return session
    working = received(
        order,
        protection_price=protection_of(order, listing, view),
        expires_at=min(session.closes_at, settles_at or session.closes_at),
        at=view.at,
    )
    return (
        check_rules(working, listing.instrument)
        or check_trigger(working, view, listing)
        or check_means(working, book, view, listing)
        or working
    )


def open_session(exchange: Exchange, view: MarketView) -> Session | Refusal:
    """The session that is on, or when the next one begins."""
    try:
        phase = view.phase(exchange)
    except SessionTableExhaustedError as error:
        return Refusal(ReasonCode.MARKET_CLOSED, str(error))
    if phase.session is not None:
        return phase.session
    opening = phase.next_opening.astimezone(IST) if phase.next_opening else None
    when = f"; it opens on {opening:%a %d %b %Y at %H:%M} IST" if opening else ""
    return Refusal(ReasonCode.MARKET_CLOSED, f"{exchange} is closed{when}")


def changed(
    order: Order, known: WorkingOrder, fields: Mapping[str, object], listing: Listing, view: MarketView
) -> WorkingOrder | Refusal:
    """A working order with some fields modified: a stop that has triggered stays triggered."""
    wanted = order.model_copy(update=dict(fields))
    if wanted.quantity <= known.filled_quantity:
        return Refusal(
            ReasonCode.QUANTITY_BELOW_FILLED,
            f"{known.filled_quantity} units have traded already; the new quantity must be larger",
        )
    becomes_stop = wanted.order_type.takes_trigger_price and not known.order_type.takes_trigger_price
    if becomes_stop and known.filled_quantity:
        return Refusal(
            ReasonCode.ORDER_TYPE_NOT_ALLOWED, "an order that has traded in part cannot become a stop order"
        )
    trigger_price = wanted.trigger_price if wanted.order_type.takes_trigger_price else None
    # The price a market order works at stays: counted anew from the last price it would move with every change of quantity.
    keeps_limit = (wanted.order_type, trigger_price) == (known.order_type, known.trigger_price)
    return known._replace(
        order_type=wanted.order_type,
        validity=wanted.validity,
        quantity=wanted.quantity,
        price=wanted.price,
        trigger_price=trigger_price,
        protection_price=known.protection_price if keeps_limit else protection_of(wanted, listing, view),
        triggered_at=None if becomes_stop else known.triggered_at,
    )


def protection_of(order: Order, listing: Listing, view: MarketView) -> Decimal | None:
    """The limit a market order works with; a stop's is counted from its trigger."""
    if order.order_type is OrderType.MARKET:
        reference = view.snapshot(listing).last_price
    elif order.order_type is OrderType.SL_M and order.trigger_price is not None:
        reference = order.trigger_price
    else:
        return None
    return protection_price(listing, order.transaction_type, reference, view.day)


def check_trigger(working: WorkingOrder, view: MarketView, listing: Listing) -> Refusal | None:
    """A stop must wait for something: its trigger lies on the far side of the last price (market.md §3.1)."""
    if not working.is_waiting_stop or working.trigger_price is None:
        return None
    last = view.snapshot(listing).last_price
    is_buy = working.transaction_type is TransactionType.BUY
    if (working.trigger_price > last) if is_buy else (working.trigger_price < last):
        return None
    where = "above" if is_buy else "below"
    return Refusal(
        ReasonCode.TRIGGER_ALREADY_CROSSED,
        f"trigger price {working.trigger_price:f} of a stop-loss {working.transaction_type} order must be {where} "
        f"the last price {last:f}",
    )


def check_means(
    working: WorkingOrder,
    book: AccountBook,
    view: MarketView,
    listing: Listing,
    replaced: WorkingOrder | None = None,
) -> Refusal | None:
    """Holdings for a delivery sale, margin for anything that adds exposure. `replaced` is the order this one modifies."""
    key, side = working.group, working.transaction_type
    if working.product is Product.CNC and side is TransactionType.SELL:
        return _check_holdings(working, book, replaced)
    orders, multiplier = book.open_orders(key), listing.instrument.multiplier
    if replaced is not None:
        orders = orders.plus(side, -replaced.remaining, -replaced.remaining * replaced.limit * multiplier)
    if is_reducing(book.position(key, multiplier), orders, side, working.remaining):
        return None
    value = working.remaining * _dearest_price(working, view, listing) * multiplier
    return _check_margin(working, book, orders.plus(side, working.remaining, value))


def _dearest_price(working: WorkingOrder, view: MarketView, listing: Listing) -> Decimal:
    """The price at which the order asks for most margin: a sale limited below the market trades at the market."""
    if working.transaction_type is TransactionType.BUY:
        return working.limit
    if working.is_waiting_stop and working.trigger_price is not None:
        return max(working.limit, working.trigger_price)
    return max(working.limit, view.snapshot(listing).last_price)


def _check_holdings(
    working: WorkingOrder, book: AccountBook, replaced: WorkingOrder | None
) -> Refusal | None:
    sellable = book.sellable(working.exchange, working.symbol) + (replaced.remaining if replaced else 0)
    if working.remaining <= sellable:
        return None
    return Refusal(
        ReasonCode.HOLDINGS_INSUFFICIENT,
        f"selling {working.remaining} {working.symbol} for delivery needs as many units held or bought today; "
        f"{max(sellable, 0)} are free",
    )


def _check_margin(working: WorkingOrder, book: AccountBook, wanted: OpenOrders) -> Refusal | None:
    available = book.available
    if available is None:
        return None
    needed = book.required(working.group, wanted) - book.blocked(working.group)
    if needed <= max(available, ZERO):
        return None
    return Refusal(
        ReasonCode.MARGIN_INSUFFICIENT,
        f"the order needs {needed:.2f} of margin; {available:.2f} is available",
    )
