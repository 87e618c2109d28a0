"""Margins and charges of orders that are not placed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.vocabulary import Exchange, OrderType, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import GroupKey
from vyomo_paper_exchange.domain.charges import Charges, charges_of
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.doors.kite import parameters as read
from vyomo_paper_exchange.doors.kite.calls import Call
from vyomo_paper_exchange.doors.kite.envelope import InputError, decode

ORDERS_MAX: Final = 50


async def order_margins(call: Call) -> object:
    return [await _margin(call, each) for each in await _asked(call)]


async def basket_margins(call: Call) -> object:
    """What the basket blocks is what its orders block: this exchange knows no benefit of a hedge."""
    orders = [await _margin(call, each) for each in await _asked(call)]
    total = sum((each["total"] for each in orders), ZERO)
    summed = _item("", "", "", total, ZERO)
    return {"initial": summed, "final": summed, "orders": orders, "charges": _summed(orders)}


async def charges(call: Call) -> object:
    notes: list[dict[str, Any]] = []
    for each in await _asked(call):
        price = read.price(each, "average_price") or read.price(each, "price")
        if price is None:
            raise InputError("Invalid `average_price`. It should be above 0.")
        calculated = await _charges(call, each, price)
        echoed = ("transaction_type", "tradingsymbol", "exchange", "variety", "product", "order_type")
        notes.append(
            {name: each.get(name, "") for name in echoed}
            | {"quantity": read.quantity(each), "price": price, "charges": _charges_row(calculated)}
        )
    return notes


async def _margin(call: Call, order: Mapping[str, str]) -> dict[str, Any]:
    exchange, symbol = read.word(order, "exchange", Exchange), read.needed(order, "tradingsymbol")
    side = read.word(order, "transaction_type", TransactionType)
    group = GroupKey(exchange, symbol, read.word(order, "product", Product))
    read.word(order, "order_type", OrderType)
    quantity, price = read.quantity(order), read.price(order, "price") or ZERO
    try:
        blocked = await call.door.venue.books.margin_of(call.caller.account, group, side, quantity, price)
    except LookupError:
        raise InputError(f"Invalid `tradingsymbol`. {exchange}:{symbol} is not listed.") from None
    if not price:
        key = f"{exchange}:{symbol}"
        price = (await call.door.venue.prices.now([key]))[key].prices.snapshot.last_price
    calculated = await _charges(call, order, price)
    return _item("equity", symbol, exchange, to_price(blocked), calculated)


async def _charges(call: Call, order: Mapping[str, str], price: Decimal) -> Charges:
    key = f"{read.word(order, 'exchange', Exchange)}:{read.needed(order, 'tradingsymbol')}"
    listing = (await call.door.venue.prices.listings([key])).get(key)
    if listing is None:
        raise InputError(f"Invalid `tradingsymbol`. {key} is not listed.")
    value = read.quantity(order) * price * listing.instrument.multiplier
    return charges_of(
        listing.instrument,
        read.word(order, "product", Product),
        read.word(order, "transaction_type", TransactionType),
        value,
        trading_day(call.door.venue.clock.now()),
    )


async def _asked(call: Call) -> list[Mapping[str, str]]:
    body = decode(await read.body_of(call.request))
    if not isinstance(body, list):
        raise InputError("A JSON list of orders is expected.")
    listed = cast("list[object]", body)
    if len(listed) > ORDERS_MAX:
        raise InputError(f"At most {ORDERS_MAX} orders can be asked for at once.")
    orders: list[Mapping[str, str]] = []
    for each in listed:
        if not isinstance(each, dict):
            raise InputError("Each order should be a JSON object.")
        fields = cast("dict[str, object]", each)
        orders.append({name: "" if value is None else str(value) for name, value in fields.items()})
    return orders


def _item(
    kind: str, symbol: str, exchange: str, total: Decimal, calculated: Charges | Decimal
) -> dict[str, Any]:
    """The exchange asks for one sum; it is shown as VaR in cash and as SPAN elsewhere, where Kite's clients look for it."""
    is_cash = exchange in {"", Exchange.NSE, Exchange.BSE}
    return {
        "type": kind,
        "tradingsymbol": symbol,
        "exchange": exchange,
        "span": ZERO if is_cash else total,
        "exposure": ZERO,
        "option_premium": ZERO,
        "additional": ZERO,
        "bo": ZERO,
        "cash": ZERO,
        "var": total if is_cash else ZERO,
        "pnl": {"realised": ZERO, "unrealised": ZERO},
        "leverage": 1,
        "charges": _charges_row(calculated if isinstance(calculated, Charges) else Charges()),
        "total": total,
    }


def _charges_row(each: Charges) -> dict[str, Any]:
    return {
        "transaction_tax": each.transaction_tax,
        "transaction_tax_type": each.tax_kind,
        "exchange_turnover_charge": each.exchange_turnover,
        "sebi_turnover_charge": each.sebi_turnover,
        "brokerage": each.brokerage,
        "stamp_duty": each.stamp_duty,
        "gst": {"igst": each.gst, "cgst": ZERO, "sgst": ZERO, "total": each.gst},
        "total": each.total,
    }


def _summed(orders: list[dict[str, Any]]) -> dict[str, Any]:
    row = _charges_row(Charges())
    for order in orders:
        for name, amount in order["charges"].items():
            if isinstance(amount, Decimal):
                row[name] += amount
        row["gst"] = {name: row["gst"][name] + order["charges"]["gst"][name] for name in row["gst"]}
    return row
