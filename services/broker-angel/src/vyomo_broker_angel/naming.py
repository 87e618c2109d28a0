"""Angel One's names of instruments: `SBIN-EQ`, `NIFTY24NOV26FUT`, and the exchange's number as a text that must go with the name.

Source: SmartAPI, instrument master and searchScrip. Our symbols are Kite's.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from pydantic import BaseModel

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_service_kit.database import Database

_SHARES: Final = "-EQ"
_REMEMBERED: Final = 20_000
_CONTRACT: Final = re.compile(
    r"(?P<name>.+?)(?P<day>\d{2}[A-Z]{3}\d{2})(?:FUT|(?P<strike>\d+(?:\.\d+)?)(?P<option_type>CE|PE))"
)
_SYMBOL_OF_CONTRACT: Final = """
SELECT symbol FROM market.instruments
WHERE exchange = $1 AND name = $2 AND expiry = $3
  AND strike IS NOT DISTINCT FROM $4 AND option_type IS NOT DISTINCT FROM $5
"""


class UnnamedInstrumentError(LookupError):
    """Not in our list, or not in the broker's."""


class Listing(BaseModel):
    """A row of searchScrip."""

    exchange: str
    tradingsymbol: str
    symboltoken: str


Search = Callable[[Exchange, str], Awaitable[Sequence[Listing]]]
"""The broker's list, asked for what a name begins with."""


@dataclass(frozen=True, slots=True)
class Named:
    instrument: Instrument
    trading_symbol: str
    token: str


class AngelNames:
    """Tokens are asked for once and then remembered: an exchange gives no number twice."""

    def __init__(self, instruments: InstrumentDirectory, database: Database) -> None:
        self._instruments = instruments
        self._database = database
        self._tokens: dict[tuple[Exchange, str], str] = {}
        self._symbols: dict[tuple[Exchange, str], str] = {}

    async def of(self, exchange: Exchange, symbol: str, search: Search) -> Named:
        """Raises:
        UnnamedInstrumentError: we or the broker do not list it.
        UnreadableError: the broker could not be asked.
        """
        found = await self._instruments.find([(exchange, symbol)])
        instrument = next(iter(found.values()), None)
        if instrument is None:
            raise UnnamedInstrumentError(f"{exchange}:{symbol} is not listed")
        name = trading_symbol(instrument)
        token = self._tokens.get((exchange, name))
        if token is None:
            token = next(
                (
                    each.symboltoken
                    for each in await search(exchange, name)
                    if (each.exchange, each.tradingsymbol) == (exchange, name) and each.symboltoken
                ),
                None,
            )
            if token is None:
                raise UnnamedInstrumentError(f"Angel One does not list {exchange}:{name}")
            _remember(self._tokens, (exchange, name), token)
        return Named(instrument, name, token)

    async def symbol_of(self, exchange: Exchange, name: str) -> str:
        """Our symbol for a name in one of the broker's books; the name itself where we list no such instrument."""
        contract = _CONTRACT.fullmatch(name)
        if exchange is Exchange.NSE or contract is None:
            return name.removesuffix(_SHARES)
        known = self._symbols.get((exchange, name))
        if known is not None:
            return known
        expiry = _expiry(contract["day"])
        strike = None if contract["strike"] is None else Decimal(contract["strike"])
        async with self._database.connection() as connection:
            symbol: str | None = await connection.fetchval(
                _SYMBOL_OF_CONTRACT, exchange, contract["name"], expiry, strike, contract["option_type"]
            )
        if symbol is None:
            return name
        _remember(self._symbols, (exchange, name), symbol)
        return symbol


def trading_symbol(instrument: Instrument) -> str:
    """Angel One's name of one of our instruments."""
    match instrument.kind:
        case InstrumentKind.EQUITY:
            return (
                f"{instrument.symbol}{_SHARES}" if instrument.exchange is Exchange.NSE else instrument.symbol
            )
        case InstrumentKind.INDEX:
            return instrument.symbol
        case InstrumentKind.FUTURE:
            return f"{instrument.name}{_day(instrument.expiry)}FUT"
        case InstrumentKind.OPTION:
            strike = f"{(instrument.strike or Decimal(0)).normalize():f}"
            return f"{instrument.name}{_day(instrument.expiry)}{strike}{instrument.option_type}"


def _day(day: date | None) -> str:
    return "" if day is None else f"{day:%d%b%y}".upper()


def _expiry(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%d%b%y").date()  # noqa: DTZ007 - a day of the exchange's, no instant
    except ValueError:
        return None


def _remember(known: dict[tuple[Exchange, str], str], key: tuple[Exchange, str], value: str) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
