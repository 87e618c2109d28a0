"""Candles, and margins and charges of orders that are not placed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import GroupKey
from vyomo_paper_exchange.domain.charges import Charges, charges_of
from vyomo_paper_exchange.domain.times import IST, trading_day
from vyomo_paper_exchange.doors.smartapi import parameters as read
from vyomo_paper_exchange.doors.smartapi.calls import Call, Found
from vyomo_paper_exchange.doors.smartapi.envelope import InputError
from vyomo_paper_exchange.doors.smartapi.parameters import (
    Parameters,
    document_of,
    parameters_of,
    texts_of,
)
from vyomo_paper_exchange.doors.smartapi.words import PRODUCTS

POSITIONS_MAX: Final = 50
INTERVALS: Final[Mapping[str, tuple[int | None, int]]] = {
    "ONE_MINUTE": (1, 30),
    "THREE_MINUTE": (3, 60),
    "FIVE_MINUTE": (5, 100),
    "TEN_MINUTE": (10, 100),
    "FIFTEEN_MINUTE": (15, 200),
    "THIRTY_MINUTE": (30, 200),
    "ONE_HOUR": (60, 400),
    "ONE_DAY": (None, 2000),
}
"""Minutes of a candle, and days that may be asked for at once."""


async def candles(call: Call) -> object:
    parameters = await parameters_of(call.request)
    exchange = read.word(parameters, "exchange", Exchange)
    minutes, days = read.meant(parameters, "interval", INTERVALS)
    begin, end = _time(parameters, "fromdate"), _time(parameters, "todate")
    if end < begin or end - begin > timedelta(days=days):
        raise InputError(f"Invalid todate: at most {days} days after fromdate")
    found = await _found(call, exchange, read.needed(parameters, "symboltoken"))
    shown = await call.door.venue.history.between(found.listing, minutes, begin, end)
    return [
        [
            each.at.astimezone(IST).isoformat(timespec="seconds"),
            each.opening,
            each.high,
            each.low,
            each.close,
            each.volume,
        ]
        for each in shown
    ]


async def margins(call: Call) -> object:
    """What the basket blocks is what its orders block: this exchange knows no benefit of a hedge."""
    total = derivatives = delivery = commodities = ZERO
    for each in await _listed(call, "positions"):
        exchange = read.word(each, "exchange", Exchange)
        found = await _found(call, exchange, read.needed(each, "token"))
        product = read.meant(each, "productType", PRODUCTS, "AB1012")
        blocked = to_price(
            await call.door.venue.books.margin_of(
                call.caller.account,
                GroupKey(exchange, found.listing.instrument.symbol, product),
                read.word(each, "tradeType", TransactionType),
                read.quantity(each, "qty"),
                read.price(each, "price") or ZERO,
            )
        )
        total += blocked
        if exchange is Exchange.MCX:
            commodities += blocked
        elif exchange.is_cash and product is Product.CNC:
            delivery += blocked
        else:
            derivatives += blocked
    return {
        "totalMarginRequired": total,
        "marginComponents": {
            "netPremium": ZERO,
            "spanMargin": derivatives,
            "marginBenefit": ZERO,
            "deliveryMargin": delivery,
            "nonNFOMargin": commodities,
            "totOptionsPremium": ZERO,
        },
        "marginBreakup": [],
        "optionsBuy": {"totOptionsPremium": ZERO, "optionDetails": []},
    }


async def charges(call: Call) -> object:
    listed: list[dict[str, Any]] = []
    for each in await _listed(call, "orders"):
        exchange = read.word(each, "exchange", Exchange)
        found = await _found(call, exchange, read.needed(each, "token"))
        price = read.price(each, "price")
        if price is None:
            raise InputError("Invalid price: it should be above 0")
        value = read.quantity(each) * price * found.listing.instrument.multiplier
        calculated = charges_of(
            found.listing.instrument,
            read.meant(each, "product_type", PRODUCTS, "AB1012"),
            read.word(each, "transaction_type", TransactionType),
            value,
            trading_day(call.door.venue.clock.now()),
        )
        listed.append(_charges_row(calculated, value))
    summary = {
        "total_charges": sum((row["total_charges"] for row in listed), ZERO),
        "trade_value": sum((row["trade_value"] for row in listed), ZERO),
        "breakup": [
            {
                **part,
                "amount": sum((row["breakup"][place]["amount"] for row in listed), ZERO),
            }
            for place, part in enumerate(listed[0]["breakup"])
        ],
    }
    return {"summary": summary, "charges": listed}


def _charges_row(each: Charges, value: Decimal) -> dict[str, Any]:
    parts = {
        "Angel One Brokerage": each.brokerage,
        "External Charges": each.exchange_turnover + each.sebi_turnover + each.stamp_duty,
        "Taxes": each.transaction_tax + each.gst,
    }
    return {
        "total_charges": each.total,
        "trade_value": value,
        "breakup": [{"name": name, "amount": amount, "msg": ""} for name, amount in parts.items()],
    }


async def _listed(call: Call, name: str) -> list[Parameters]:
    rows = (await document_of(call.request)).get(name)
    if not isinstance(rows, list) or not 0 < len(cast("list[object]", rows)) <= POSITIONS_MAX:
        raise InputError(f"Invalid {name}: between 1 and {POSITIONS_MAX} are possible")
    listed: list[Parameters] = []
    for each in cast("list[object]", rows):
        if not isinstance(each, dict):
            raise InputError(f"Invalid {name}: each should be a JSON object")
        listed.append(texts_of(cast("dict[str, object]", each)))
    return listed


async def _found(call: Call, exchange: Exchange, token: str) -> Found:
    found = await call.door.find(exchange, token)
    if found is None:
        raise InputError("Failed to get symbol details", "AB1018")
    return found


def _time(parameters: Parameters, name: str) -> datetime:
    try:
        return datetime.strptime(read.needed(parameters, name), "%Y-%m-%d %H:%M").replace(tzinfo=IST)
    except ValueError:
        raise InputError(f"Invalid {name}: it should be YYYY-MM-DD HH:MM") from None
