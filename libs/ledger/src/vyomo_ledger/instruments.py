"""Looking instruments up, with a bounded memory: no process holds a whole market as objects.

Paper and sandbox accounts trade the built-in market, `market.instruments`. A live account trades what its broker lists, `market.listings`, once
the broker's list was loaded; until then it is checked against the built-in market.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database

INSTRUMENT_COLUMNS: Final = ", ".join(Instrument.model_fields)

_BY_KEY: Final = f"""
SELECT {INSTRUMENT_COLUMNS} FROM market.instruments
WHERE (exchange, symbol) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_LISTED_ON: Final = """
SELECT symbol, exchange FROM market.instruments WHERE symbol = ANY($1::text[]) ORDER BY symbol, exchange
"""
_BY_KEY_OF: Final = f"""
SELECT {INSTRUMENT_COLUMNS} FROM market.listings
WHERE broker = $3 AND (exchange, symbol) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_LISTED_ON_OF: Final = """
SELECT symbol, exchange FROM market.listings WHERE broker = $2 AND symbol = ANY($1::text[]) ORDER BY symbol, exchange
"""
_LOADED: Final = "SELECT broker FROM market.masters WHERE loaded_at IS NOT NULL"

_LOOK_SECONDS: Final = 5.0

Market = Broker | None
"""Whose instruments: a broker's list, or None for the built-in market."""


def market_of(broker: Broker, environment: Environment) -> Market:
    """Where an account's instruments are looked up."""
    return None if broker is Broker.PAPER or environment is Environment.SANDBOX else broker


@dataclass(slots=True)
class _Kept:
    instrument: Instrument | None
    until: float


class InstrumentDirectory:
    """Of one market. Remembers the `capacity` instruments used last, each for `fresh_seconds`; unknown ones for one second."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        market: Market = None,
        capacity: int = 5000,
        fresh_seconds: float = 60.0,
    ) -> None:
        self._market = market
        self._database = database
        self._clock = clock
        self._capacity = capacity
        self._fresh_seconds = fresh_seconds
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def find(self, keys: Iterable[tuple[str, str]]) -> dict[str, Instrument]:
        """The instruments of (exchange, symbol) pairs by their `EXCHANGE:SYMBOL` key; unknown ones are absent. At most one query."""
        now = self._clock.elapsed()
        found: dict[str, Instrument] = {}
        missing: dict[str, tuple[str, str]] = {}
        for exchange, symbol in keys:
            key = instrument_key(exchange, symbol)
            kept = self._kept.get(key)
            if kept is None or kept.until < now:
                missing[key] = (exchange, symbol)
            elif kept.instrument is not None:
                self._kept.move_to_end(key)
                found[key] = kept.instrument
        if missing:
            async with self._database.connection() as connection:
                found |= await self._load(connection, missing, now)
        return found

    async def listed_on(self, symbols: Iterable[str]) -> dict[str, list[str]]:
        """The exchanges of each symbol, for an error that says what would be right."""
        async with self._database.connection() as connection:
            rows = await (
                connection.fetch(_LISTED_ON, sorted(set(symbols)))
                if self._market is None
                else connection.fetch(_LISTED_ON_OF, sorted(set(symbols)), self._market)
            )
        exchanges: dict[str, list[str]] = {}
        for row in rows:
            exchanges.setdefault(row["symbol"], []).append(row["exchange"])
        return exchanges

    def forget(self) -> None:
        self._kept.clear()

    async def _load(
        self, connection: Connection, missing: dict[str, tuple[str, str]], now: float
    ) -> dict[str, Instrument]:
        exchanges, symbols = zip(*missing.values(), strict=True)
        rows = await (
            connection.fetch(_BY_KEY, list(exchanges), list(symbols))
            if self._market is None
            else connection.fetch(_BY_KEY_OF, list(exchanges), list(symbols), self._market)
        )
        found = {each.key: each for each in (Instrument.model_validate(dict(row)) for row in rows)}
        for key in missing:
            instrument = found.get(key)
            self._kept[key] = _Kept(instrument, now + (self._fresh_seconds if instrument else 1.0))
            self._kept.move_to_end(key)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return found


class Markets:
    """The directories of all markets; a broker's own once its list was loaded."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._built_in = InstrumentDirectory(database, clock)
        self._of_brokers: dict[Broker, InstrumentDirectory] = {}
        self._looked_at = float("-inf")

    async def directory(self, market: Market) -> InstrumentDirectory:
        if market is None:
            return self._built_in
        now = self._clock.elapsed()
        if market not in self._of_brokers and now - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = now
            async with self._database.connection() as connection:
                loaded = await connection.fetch(_LOADED)
            for row in loaded:
                broker = Broker(row["broker"])
                self._of_brokers.setdefault(
                    broker, InstrumentDirectory(self._database, self._clock, market=broker)
                )
        return self._of_brokers.get(market, self._built_in)
