"""Instruments, quotes and candles."""

import csv
import io
import zlib
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.responses import StreamingResponse

from vyomo_contracts.instruments import Quote
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.instruments import Numbered
from vyomo_paper_exchange.doors.kite.calls import Call, KiteDoor
from vyomo_paper_exchange.doors.kite.envelope import InputError
from vyomo_paper_exchange.doors.kite.frames import INDICES, instrument_token, segment_of
from vyomo_paper_exchange.doors.kite.parameters import refuse_control_characters
from vyomo_paper_exchange.doors.kite.rows import time_text
from vyomo_paper_exchange.history import Candle

HEADER: Final = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
FULL_QUOTES_MAX: Final = 500
QUOTES_MAX: Final = 1000
_GZIP: Final = 31
"""zlib's way of asking for a gzip header."""

_MINUTES: Final = {
    "minute": 1,
    "3minute": 3,
    "5minute": 5,
    "10minute": 10,
    "15minute": 15,
    "30minute": 30,
    "60minute": 60,
    "hour": 60,
}
SPAN_DAYS: Final = {
    "minute": 60,
    "3minute": 100,
    "5minute": 100,
    "10minute": 100,
    "15minute": 200,
    "30minute": 200,
    "60minute": 400,
    "hour": 400,
    "day": 2000,
}
_DIGITS_MAX: Final = 10
_TIME: Final = "%Y-%m-%d %H:%M:%S"


async def instruments(call: Call) -> object:
    name: str | None = call.path.get("exchange")
    try:
        exchange = None if name is None else Exchange(name)
    except ValueError:
        raise InputError("Invalid `exchange`.") from None
    zipped = "gzip" in call.request.headers.get("accept-encoding", "")
    # JavaScript's client compares the type as a whole, so no charset is named.
    headers = {"content-type": "text/csv"} | ({"content-encoding": "gzip"} if zipped else {})
    return StreamingResponse(_dump(call.door, exchange, zipped=zipped), headers=headers)


async def _dump(door: KiteDoor, exchange: Exchange | None, *, zipped: bool) -> AsyncGenerator[bytes]:
    packer = zlib.compressobj(wbits=_GZIP) if zipped else None

    def packed(text: str) -> bytes:
        return text.encode() if packer is None else packer.compress(text.encode())

    yield packed(HEADER + "\n")
    async for page in door.venue.instruments.listed(exchange):
        yield packed(_lines(page))
    if packer is not None:
        yield packer.flush()


def _lines(page: Sequence[Numbered]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, instrument in page:
        writer.writerow(
            (
                instrument_token(number, instrument),
                number,
                instrument.symbol,
                instrument.name,
                0,
                instrument.expiry or "",
                0 if instrument.strike is None else f"{instrument.strike:f}",
                f"{instrument.tick_size:f}",
                instrument.lot_size,
                {"FUTURE": "FUT", "OPTION": instrument.option_type}.get(instrument.kind, "EQ"),
                _segment(instrument.exchange, instrument.kind),
                instrument.exchange,
            )
        )
    return text.getvalue()


def _segment(exchange: Exchange, kind: InstrumentKind) -> str:
    if kind is InstrumentKind.INDEX:
        return "INDICES"
    return exchange + {InstrumentKind.FUTURE: "-FUT", InstrumentKind.OPTION: "-OPT"}.get(kind, "")


async def quote(call: Call) -> object:
    found = await _quotes(call, FULL_QUOTES_MAX)
    return {asked: _full(listing, each, token) for asked, (listing, each, token) in found.items()}


async def ohlc(call: Call) -> object:
    found = await _quotes(call, QUOTES_MAX)
    return {
        asked: {"instrument_token": token, "last_price": each.last_price, "ohlc": _ohlc(each)}
        for asked, (_, each, token) in found.items()
    }


async def last_prices(call: Call) -> object:
    found = await _quotes(call, QUOTES_MAX)
    return {
        asked: {"instrument_token": token, "last_price": each.last_price}
        for asked, (_, each, token) in found.items()
    }


async def _quotes(call: Call, most: int) -> dict[str, tuple[Listing, Quote, int]]:
    """By the text they were asked for with; unknown ones are missing."""
    asked = call.request.query_params.getlist("i")
    if not asked:
        raise InputError("Missing or empty field `i`.")
    if len(asked) > most:
        raise InputError(f"Too many instruments. At most {most} can be asked for at once.")
    refuse_control_characters(*asked)
    numbers = {int(text) >> 8: text for text in asked if text.isdecimal() and len(text) <= _DIGITS_MAX}
    by_number = await call.door.venue.instruments.keys(numbers)
    keys = {text: text for text in asked if ":" in text and _is_exchange(text.partition(":")[0])}
    keys |= {numbers[number]: key for number, key in by_number.items()}
    found = await call.door.venue.prices.quotes(set(keys.values()))
    tokens = await call.door.tokens([(quote.exchange, quote.symbol) for _, quote in found.values()])
    return {text: (*found[key], tokens[key]) for text, key in keys.items() if key in found and key in tokens}


def _is_exchange(name: str) -> bool:
    return name in Exchange.__members__


def _ohlc(quote: Quote) -> dict[str, Any]:
    return {
        "open": quote.open_price,
        "high": quote.high_price,
        "low": quote.low_price,
        "close": quote.previous_close,
    }


def _full(listing: Listing, quote: Quote, token: int) -> dict[str, Any]:
    row = {
        "instrument_token": token,
        "timestamp": time_text(quote.at),
        "last_price": quote.last_price,
        "net_change": quote.last_price - quote.previous_close,
        "ohlc": _ohlc(quote),
    }
    if token & 0xFF == INDICES:
        return row
    instrument = listing.instrument
    levels = {
        side: [{"price": each.price, "quantity": each.quantity, "orders": each.orders} for each in book]
        for side, book in (("buy", quote.bids), ("sell", quote.asks))
    }
    nothing = {"price": 0, "quantity": 0, "orders": 0}
    return row | {
        "last_trade_time": time_text(quote.at),
        "last_quantity": instrument.lot_size,
        "buy_quantity": sum(each.quantity for each in quote.bids),
        "sell_quantity": sum(each.quantity for each in quote.asks),
        "volume": quote.volume,
        "average_price": quote.last_price,
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "lower_circuit_limit": instrument.lower_band or ZERO,
        "upper_circuit_limit": instrument.upper_band or ZERO,
        "depth": {side: [*each, *[nothing] * (5 - len(each))] for side, each in levels.items()},
    }


async def candles(call: Call) -> object:
    interval, parameters = call.path["interval"], call.request.query_params
    if interval not in SPAN_DAYS:
        raise InputError("Invalid `interval`.")
    begin, end = _time(parameters.get("from", ""), "from"), _time(parameters.get("to", ""), "to")
    if end < begin:
        raise InputError("Invalid `to`. It should not be before `from`.")
    if end - begin > timedelta(days=SPAN_DAYS[interval]):
        raise InputError(f"interval exceeds max limit: {SPAN_DAYS[interval]} days")
    number = int(call.path["token"]) >> 8
    key = (await call.door.venue.instruments.keys([number])).get(number)
    listing = None if key is None else (await call.door.venue.prices.listings([key])).get(key)
    if listing is None or segment_of(listing.instrument) != int(call.path["token"]) & 0xFF:
        raise InputError("Invalid `instrument_token`.")
    shown = await call.door.venue.history.between(listing, _MINUTES.get(interval), begin, end)
    with_interest = parameters.get("oi") == "1"
    return {"candles": [_row(each, with_interest=with_interest) for each in shown]}


def _row(candle: Candle, *, with_interest: bool) -> list[Any]:
    at = f"{candle.at.astimezone(IST):%Y-%m-%dT%H:%M:%S}+0530"
    row = [at, candle.opening, candle.high, candle.low, candle.close, candle.volume]
    return [*row, 0] if with_interest else row


def _time(text: str, name: str) -> datetime:
    for pattern in (_TIME, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=IST)
        except ValueError:
            continue
    raise InputError(f"Invalid `{name}`. It should be YYYY-MM-DD HH:MM:SS.")
