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
from vyomo_contracts.vocabulary import Broker, Environment, Exchange, InstrumentKind
from vyomo_ledger.instruments import INSTRUMENT_COLUMNS, InstrumentDirectory
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database

_SHARES: Final = "-EQ"
_REMEMBERED: Final = 20_000
_CONTRACT: Final = re.compile(
    r"(?P<name>.+?)(?P<day>\d{2}[A-Z]{3}\d{2})(?:FUT|(?P<strike>\d+(?:\.\d+)?)(?P<option_type>CE|PE))"
)
_MASTERS_SECONDS: Final = 60.0
_LISTING: Final = f"""
SELECT {INSTRUMENT_COLUMNS}, trading_symbol, token FROM market.listings
WHERE broker = '{Broker.ANGEL}' AND exchange = $1 AND symbol = $2
"""
_SYMBOL_OF_LISTING: Final = f"""
SELECT symbol FROM market.listings WHERE broker = '{Broker.ANGEL}' AND exchange = $1 AND trading_symbol = $2
"""
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
    """Of a live account by the master that was loaded this morning; of the sandbox, and of what the master lacks, by asking the broker's list.

    What the list says of a number is asked for once and then remembered: an exchange gives no number twice in a day.
    """

    def __init__(self, instruments: InstrumentDirectory, database: Database, clock: Clock) -> None:
        self._instruments = instruments
        self._database = database
        self._clock = clock
        self._listings: dict[tuple[Exchange, str], tuple[float, Named]] = {}
        self._tokens: dict[tuple[str, ...], str] = {}
        self._symbols: dict[tuple[str, ...], str] = {}

    async def of(self, environment: Environment, exchange: Exchange, symbol: str, search: Search) -> Named:
        """Raises:
        UnnamedInstrumentError: we or the broker do not list it.
        UnreadableError: the broker could not be asked.
        """
        listed = await self._listed(exchange, symbol) if environment is Environment.LIVE else None
        if listed is not None:
            return listed
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

    async def symbol_of(self, environment: Environment, exchange: Exchange, name: str) -> str:
        """Our symbol for a name in one of the broker's books; the name itself where we list no such instrument."""
        contract = _CONTRACT.fullmatch(name)
        if exchange is Exchange.NSE or (contract is None and environment is not Environment.LIVE):
            return name.removesuffix(_SHARES)
        known = self._symbols.get((environment, exchange, name))
        if known is not None:
            return known
        if environment is Environment.LIVE:
            async with self._database.connection() as connection:
                listed: str | None = await connection.fetchval(_SYMBOL_OF_LISTING, exchange, name)
            if listed is not None:
                _remember(self._symbols, (environment, exchange, name), listed)
                return listed
        if contract is None:
            return name
        expiry = _expiry(contract["day"])
        strike = None if contract["strike"] is None else Decimal(contract["strike"])
        async with self._database.connection() as connection:
            symbol: str | None = await connection.fetchval(
                _SYMBOL_OF_CONTRACT, exchange, contract["name"], expiry, strike, contract["option_type"]
            )
        if symbol is None:
            return name
        _remember(self._symbols, (environment, exchange, name), symbol)
        return symbol

    async def _listed(self, exchange: Exchange, symbol: str) -> Named | None:
        known = self._listings.get((exchange, symbol))
        if known is not None and known[0] > self._clock.elapsed():
            return known[1]
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_LISTING, exchange, symbol)
        if row is None:
            return None
        named = Named(Instrument.model_validate(dict(row)), row["trading_symbol"], row["token"])
        if len(self._listings) >= _REMEMBERED:
            self._listings.clear()
        self._listings[exchange, symbol] = (self._clock.elapsed() + _MASTERS_SECONDS, named)
        return named


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


def _remember(known: dict[tuple[str, ...], str], key: tuple[str, ...], value: str) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
