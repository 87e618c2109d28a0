"""Angel One's instrument master: a JSON array of texts, strikes and ticks in paise. Our symbols, which are Kite's, are made of its columns.

Source: SmartAPI, instrument master; Kite's rule for the names of contracts. The last expiry of a month is named by the month, others by the day; which
is the last is seen from the list alone, so it is read twice.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import IO, Final

from vyomo_broker_angel.mapping import EXCHANGES
from vyomo_broker_kit.instruments.json_rows import json_rows
from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_contracts.contract_names import future_symbol, monthly_series, option_symbol, weekly_series
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType

LIVE_MASTER: Final = "https://margincalculator.angelone.in/OpenAPI_File/files/OpenAPIScripMaster.json"
LONGEST_SYMBOL: Final = 64
_INDEX: Final = "AMXIDX"
_SHARES: Final = "-EQ"
_INDEX_TICK: Final = Decimal("0.05")
_PAISE: Final = 100
_FUTURES: Final = frozenset({"FUTSTK", "FUTIDX"})
_OPTIONS: Final = frozenset({"OPTSTK", "OPTIDX"})

_Row = Mapping[str, object]
_Month = tuple[str, str, int, int]
"""Exchange, name, year, month."""


def listed(file: IO[bytes]) -> Iterator[Listed | None]:
    """Rows of the exchanges that orders are sent to; None for one that cannot be understood.

    Raises:
        BadRowError: not Angel One's master, or cut off.
    """
    last: dict[_Month, date] = {}
    for row in _of_ours(file):
        expiry = _expiry(row)
        if expiry is not None:
            month = _month(row, expiry)
            last[month] = max(expiry, last.get(month, expiry))
    file.seek(0)
    for row in _of_ours(file):
        yield _listed(row, last)


def _of_ours(file: IO[bytes]) -> Iterator[_Row]:
    return (row for row in json_rows(file) if row.get("exch_seg") in EXCHANGES)


def _listed(row: _Row, last: Mapping[_Month, date]) -> Listed | None:
    try:
        return _row(row, last)
    except (KeyError, ValueError, InvalidOperation):
        return None


def _row(row: _Row, last: Mapping[_Month, date]) -> Listed:
    exchange = Exchange(_text(row, "exch_seg"))
    trading_symbol, name, token = _text(row, "symbol"), _text(row, "name"), _text(row, "token")
    if (
        not token.isdigit()
        or not 0 < len(trading_symbol) <= LONGEST_SYMBOL
        or not trading_symbol.isprintable()
    ):
        raise BadRowError("no name or number")
    word = _text(row, "instrumenttype")
    expiry = _expiry(row)
    strike: Decimal | None = None
    option_type: OptionType | None = None
    if word in _FUTURES | _OPTIONS:
        if expiry is None or not name:
            raise BadRowError("a contract without expiry or name")
        kind, symbol = InstrumentKind.FUTURE, future_symbol(name, monthly_series(expiry))
        if word in _OPTIONS:
            kind, option_type = InstrumentKind.OPTION, OptionType(trading_symbol[-2:])
            strike = Decimal(_text(row, "strike")) / _PAISE
            is_last = last[_month(row, expiry)] == expiry
            series = monthly_series(expiry) if is_last else weekly_series(expiry)
            symbol = option_symbol(name, series, strike, option_type)
    elif word == _INDEX:
        kind, symbol = InstrumentKind.INDEX, trading_symbol.upper()
    elif word == "":
        kind = InstrumentKind.EQUITY
        symbol = trading_symbol.removesuffix(_SHARES) if exchange is Exchange.NSE else trading_symbol
    else:
        raise BadRowError("a kind that we do not know")
    tick_size = _INDEX_TICK if kind is InstrumentKind.INDEX else Decimal(_text(row, "tick_size")) / _PAISE
    lot_size = 1 if kind is InstrumentKind.INDEX else int(_text(row, "lotsize"))
    if lot_size <= 0 or not 0 < tick_size < 10**6 or (strike is not None and not 0 < strike < 10**9):
        raise BadRowError("numbers that cannot be")
    return Listed(
        exchange=exchange,
        symbol=symbol,
        trading_symbol=trading_symbol,
        token=token,
        name=name[:200] or symbol,
        kind=kind,
        expiry=expiry if strike is not None or kind is InstrumentKind.FUTURE else None,
        strike=strike,
        option_type=option_type,
        lot_size=lot_size,
        tick_size=tick_size,
    )


def _month(row: _Row, expiry: date) -> _Month:
    return str(row.get("exch_seg")), str(row.get("name")), expiry.year, expiry.month


def _expiry(row: _Row) -> date | None:
    text = row.get("expiry")
    try:
        return datetime.strptime(str(text), "%d%b%Y").date() if text else None  # noqa: DTZ007 - a day of the exchange's
    except ValueError:
        return None


def _text(row: _Row, name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise BadRowError(f"{name} is no text")
    return value.strip()
