"""Instruments as Angel One's master names them: `SBIN-EQ`, `NIFTY24NOV26FUT`, and the exchange's number as a text.

Source: SmartAPI, instrument master. All values are texts; strikes and ticks are in paise with six decimals.
"""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Final

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind

EXCHANGE_TYPES: Final = {
    Exchange.NSE: 1,
    Exchange.NFO: 2,
    Exchange.BSE: 3,
    Exchange.BFO: 4,
    Exchange.MCX: 5,
}
"""Numbers of the segments in the tick stream."""
NO_STRIKE: Final = Decimal(-1)
_PAISE: Final = 100


def trading_symbol(instrument: Instrument) -> str:
    match instrument.kind:
        case InstrumentKind.EQUITY:
            return f"{instrument.symbol}-EQ" if instrument.exchange is Exchange.NSE else instrument.symbol
        case InstrumentKind.INDEX:
            return instrument.symbol
        case InstrumentKind.FUTURE:
            return f"{instrument.name}{_day(instrument.expiry, '%d%b%y')}FUT"
        case InstrumentKind.OPTION:
            strike = f"{(instrument.strike or Decimal(0)).normalize():f}"
            return f"{instrument.name}{_day(instrument.expiry, '%d%b%y')}{strike}{instrument.option_type}"


def short_name(instrument: Instrument) -> str:
    """The master's `name`: what a contract derives from, a share's own symbol."""
    return instrument.name if instrument.expiry else instrument.symbol


def expiry_text(instrument: Instrument) -> str:
    return _day(instrument.expiry, "%d%b%Y")


def instrument_type(instrument: Instrument, *, is_on_index: bool) -> str:
    """`is_on_index`: whether a contract derives from an index."""
    match instrument.kind:
        case InstrumentKind.EQUITY:
            return ""
        case InstrumentKind.INDEX:
            return "AMXIDX"
        case InstrumentKind.FUTURE:
            if instrument.exchange is Exchange.MCX:
                return "FUTCOM"
            return "FUTIDX" if is_on_index else "FUTSTK"
        case InstrumentKind.OPTION:
            if instrument.exchange is Exchange.MCX:
                return "OPTFUT"
            return "OPTIDX" if is_on_index else "OPTSTK"


def master_row(number: int, instrument: Instrument, indices: Collection[str]) -> dict[str, str]:
    """`indices` are `EXCHANGE:SYMBOL`."""
    strike = NO_STRIKE if instrument.strike is None else instrument.strike * _PAISE
    return {
        "token": str(number),
        "symbol": trading_symbol(instrument),
        "name": short_name(instrument),
        "expiry": expiry_text(instrument),
        "strike": f"{strike:.6f}",
        "lotsize": str(instrument.lot_size),
        "instrumenttype": instrument_type(instrument, is_on_index=instrument.underlying in indices),
        "exch_seg": str(instrument.exchange),
        "tick_size": f"{instrument.tick_size * _PAISE:.6f}",
    }


def _day(day: date | None, pattern: str) -> str:
    return "" if day is None else f"{day:{pattern}}".upper()
