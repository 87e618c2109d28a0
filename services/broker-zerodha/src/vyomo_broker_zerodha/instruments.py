"""Kite's instrument dump: a CSV of every exchange's instruments, renewed once each morning. Its tradingsymbols are our symbols.

Source: Kite Connect v3, instruments. Lots of MCX: the exchange's contract specifications; Kite counts orders there in lots.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import IO, Final

from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType

PATH: Final = "/instruments"
INDICES: Final = "INDICES"
INDEX_TICK: Final = Decimal("0.05")
"""The dump says 0: an index has no orders."""
LONGEST_SYMBOL: Final = 64
_COLUMNS: Final = (
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)
_KINDS: Final = {
    "EQ": InstrumentKind.EQUITY,
    "FUT": InstrumentKind.FUTURE,
    "CE": InstrumentKind.OPTION,
    "PE": InstrumentKind.OPTION,
}
_EXCHANGES: Final = frozenset(Exchange)
_MCX_UNITS: Final = {
    "GOLD": 100,
    "GOLDM": 10,
    "SILVER": 30,
    "SILVERM": 5,
    "CRUDEOIL": 100,
    "CRUDEOILM": 10,
    "NATURALGAS": 1250,
    "NATGASMINI": 250,
    "COPPER": 2500,
    "ZINC": 5000,
    "LEAD": 5000,
    "ALUMINIUM": 5000,
    "ZINCMINI": 1000,
    "LEADMINI": 1000,
    "ALUMINI": 1000,
}
"""Units of the quoted price in one lot."""


def listed(file: IO[bytes]) -> Iterator[Listed | None]:
    """Rows of the exchanges that we know; None for one that cannot be understood.

    Raises:
        BadRowError: not Kite's dump.
    """
    lines = io.TextIOWrapper(file, "utf-8", errors="replace", newline="")
    try:
        reader = csv.DictReader(lines)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise BadRowError(f"no instrument dump: it lacks {', '.join(sorted(missing))}")
        for row in reader:
            if row["exchange"] in _EXCHANGES:
                yield _listed(row)
    except csv.Error:
        raise BadRowError("no CSV") from None
    finally:
        lines.detach()


def _listed(row: Mapping[str, str | None]) -> Listed | None:
    try:
        return _row({name: row[name] or "" for name in _COLUMNS})
    except (KeyError, ValueError, InvalidOperation):
        return None


def _row(row: Mapping[str, str]) -> Listed:
    exchange, symbol, name = Exchange(row["exchange"]), row["tradingsymbol"], row["name"]
    kind = InstrumentKind.INDEX if row["segment"] == INDICES else _KINDS[row["instrument_type"]]
    if not 0 < len(symbol) <= LONGEST_SYMBOL or not symbol.isprintable() or int(row["instrument_token"]) <= 0:
        raise BadRowError("no name or number")
    is_option = kind is InstrumentKind.OPTION
    tick_size, strike = Decimal(row["tick_size"]), Decimal(row["strike"] or 0)
    lot_size = 1 if exchange is Exchange.MCX or kind is InstrumentKind.INDEX else int(row["lot_size"])
    if kind is InstrumentKind.INDEX:
        tick_size = INDEX_TICK
    if lot_size <= 0 or not 0 < tick_size < 10**6 or not 0 <= strike < 10**9 or is_option is not (strike > 0):
        raise BadRowError("numbers that cannot be")
    has_expiry = kind in {InstrumentKind.FUTURE, InstrumentKind.OPTION}
    return Listed(
        exchange=exchange,
        symbol=symbol,
        trading_symbol=symbol,
        token=row["instrument_token"],
        name=name[:200] or symbol,
        kind=kind,
        expiry=date.fromisoformat(row["expiry"]) if has_expiry else None,
        strike=strike if is_option else None,
        option_type=OptionType(row["instrument_type"]) if is_option else None,
        lot_size=lot_size,
        tick_size=tick_size,
        multiplier=_MCX_UNITS.get(name, 1) if exchange is Exchange.MCX else 1,
    )
