"""The instrument master, the search in it, and quotes."""

from collections.abc import AsyncGenerator
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from vyomo_contracts.instruments import DepthLevel, Quote
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.smartapi import parameters as read
from vyomo_paper_exchange.doors.smartapi.calls import Call, Found, SmartDoor, number_of
from vyomo_paper_exchange.doors.smartapi.envelope import InputError, encode
from vyomo_paper_exchange.doors.smartapi.parameters import document_of, parameters_of, texts_of
from vyomo_paper_exchange.doors.smartapi.rows import percent
from vyomo_paper_exchange.doors.smartapi.symbols import master_row, trading_symbol

QUOTES_MAX: Final = 50
SEARCH_MAX: Final = 100
_MODES: Final = {"LTP", "OHLC", "FULL"}
_NOTHING: Final = {"price": ZERO, "quantity": 0, "orders": 0}


async def master(request: Request, door: SmartDoor) -> Response:
    """The whole catalogue, for everybody."""
    del request
    return StreamingResponse(_dump(door), media_type="application/json")


async def _dump(door: SmartDoor) -> AsyncGenerator[bytes]:
    indices = await door.venue.instruments.indices()
    before = b"["
    async for page in door.venue.instruments.listed():
        listed = [encode(master_row(number, instrument, indices)) for number, instrument in page]
        yield before + b",".join(listed)
        before = b","
    yield b"]" if before == b"," else b"[]"


async def search(call: Call) -> object:
    parameters = await parameters_of(call.request)
    exchange = read.word(parameters, "exchange", Exchange)
    text = read.needed(parameters, "searchscrip").upper()
    found = [
        {
            "exchange": str(exchange),
            "tradingsymbol": trading_symbol(instrument),
            "symboltoken": str(number),
        }
        for number, instrument in await call.door.venue.instruments.search(exchange, _stem(text))
        if text in trading_symbol(instrument).upper()
    ]
    return found[:SEARCH_MAX]


def _stem(text: str) -> str:
    """What a symbol of the broker has in common with ours: both begin with the same letters, then each writes days its own way."""
    end = next((place for place, letter in enumerate(text) if letter.isdigit()), len(text))
    return text[:end].removesuffix("-EQ").rstrip("-") or text


async def last_price(call: Call) -> object:
    parameters = await parameters_of(call.request)
    exchange = read.word(parameters, "exchange", Exchange)
    symbol = read.needed(parameters, "tradingsymbol")
    found = await call.door.named(exchange, read.needed(parameters, "symboltoken"), symbol)
    key = found.listing.key
    quotes = await call.door.venue.prices.quotes([key])
    if key not in quotes:
        raise InputError("Failed to get symbol details", "AB1018")
    quote = quotes[key][1]
    return {
        "exchange": str(exchange),
        "tradingsymbol": symbol,
        "symboltoken": str(found.number),
        **_day(quote),
        "ltp": quote.last_price,
    }


async def quote(call: Call) -> object:
    document = await document_of(call.request)
    mode = read.needed(texts_of(document), "mode")
    if mode not in _MODES:
        raise InputError("Invalid mode")
    asked = _asked(document)
    keys = await call.door.venue.instruments.keys(number_of(token) for _, token in asked)
    quotes = await call.door.venue.prices.quotes(set(keys.values()))
    fetched: list[dict[str, Any]] = []
    unfetched: list[dict[str, Any]] = []
    for exchange, token in asked:
        listing, shown = quotes.get(keys.get(number_of(token), ""), (None, None))
        if listing is None or shown is None or listing.instrument.exchange is not exchange:
            unfetched.append(
                {
                    "exchange": str(exchange),
                    "symbolToken": token,
                    "message": "Symbol token not found",
                    "errorCode": "AB1018",
                }
            )
        else:
            fetched.append(_row(Found(number_of(token), listing), shown, mode))
    return {"fetched": fetched, "unfetched": unfetched}


def _asked(document: dict[str, object]) -> list[tuple[Exchange, str]]:
    tokens = document.get("exchangeTokens")
    if not isinstance(tokens, dict):
        raise InputError("exchangeTokens is required")
    asked: list[tuple[Exchange, str]] = []
    for name, listed in cast("dict[str, object]", tokens).items():
        if name not in Exchange.__members__ or not isinstance(listed, list):
            raise InputError("Invalid exchangeTokens")
        asked += [(Exchange(name), str(each)[:20]) for each in cast("list[object]", listed)]
    if not 0 < len(asked) <= QUOTES_MAX:
        raise InputError(f"Invalid exchangeTokens: between 1 and {QUOTES_MAX} tokens are possible")
    return asked


def _row(found: Found, quote: Quote, mode: str) -> dict[str, Any]:
    instrument = found.listing.instrument
    row = {
        "exchange": str(instrument.exchange),
        "tradingSymbol": trading_symbol(instrument),
        "symbolToken": str(found.number),
        "ltp": quote.last_price,
    }
    if mode == "LTP":
        return row
    row |= _day(quote)
    if mode == "OHLC":
        return row
    change = quote.last_price - quote.previous_close
    at = f"{quote.at.astimezone(IST):%d-%b-%Y %H:%M:%S}"
    return row | {
        "lastTradeQty": instrument.lot_size,
        "exchFeedTime": at,
        "exchTradeTime": at,
        "netChange": change,
        "percentChange": percent(change, quote.previous_close),
        "avgPrice": quote.last_price,
        "tradeVolume": quote.volume,
        "opnInterest": 0,
        "lowerCircuit": instrument.lower_band or ZERO,
        "upperCircuit": instrument.upper_band or ZERO,
        "totBuyQuan": sum(each.quantity for each in quote.bids),
        "totSellQuan": sum(each.quantity for each in quote.asks),
        "52WeekLow": quote.low_price,
        "52WeekHigh": quote.high_price,
        "depth": {"buy": _levels(quote.bids), "sell": _levels(quote.asks)},
    }


def _levels(levels: tuple[DepthLevel, ...]) -> list[dict[str, Any]]:
    shown = [{"price": each.price, "quantity": each.quantity, "orders": each.orders} for each in levels]
    return [*shown, *[_NOTHING] * (5 - len(shown))]


def _day(quote: Quote) -> dict[str, Any]:
    return {
        "open": quote.open_price,
        "high": quote.high_price,
        "low": quote.low_price,
        "close": quote.previous_close,
    }
