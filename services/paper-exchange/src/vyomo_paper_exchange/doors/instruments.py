"""Instruments by the numbers that the protocols know them by. No process holds the whole market: what is asked for is looked up."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Final, NamedTuple

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange
from vyomo_ledger.instruments import INSTRUMENT_COLUMNS
from vyomo_service_kit.database import Connection, Database

_REMEMBERED: Final = 20_000
_PAGE: Final = 2_000

_NUMBER_NEW: Final = """
INSERT INTO venue.door_tokens (exchange, symbol)
SELECT m.exchange, m.symbol FROM market.instruments m
WHERE NOT EXISTS (SELECT 1 FROM venue.door_tokens t WHERE t.exchange = m.exchange AND t.symbol = m.symbol)
ON CONFLICT (exchange, symbol) DO NOTHING
"""
_BY_SYMBOL: Final = """
SELECT token, exchange, symbol FROM venue.door_tokens
WHERE (exchange, symbol) IN (SELECT * FROM unnest($1::text[], $2::text[]))
"""
_BY_NUMBER: Final = "SELECT token, exchange, symbol FROM venue.door_tokens WHERE token = ANY($1::integer[])"
_COLUMNS: Final = ", ".join(f"m.{name.strip()}" for name in INSTRUMENT_COLUMNS.split(","))
_LIST: Final = f"""
SELECT t.token, {_COLUMNS} FROM venue.door_tokens t JOIN market.instruments m USING (exchange, symbol)
WHERE t.token > $1 AND ($2::text IS NULL OR m.exchange = $2) ORDER BY t.token LIMIT {_PAGE}
"""
_SEARCHED_MAX: Final = 2_000
_SEARCH: Final = f"""
SELECT t.token, {_COLUMNS} FROM venue.door_tokens t JOIN market.instruments m USING (exchange, symbol)
WHERE m.exchange = $1 AND starts_with(m.symbol, $2) ORDER BY m.symbol LIMIT {_SEARCHED_MAX}
"""
_INDICES: Final = "SELECT exchange, symbol FROM market.instruments WHERE kind = 'INDEX'"


class Numbered(NamedTuple):
    token: int
    """The exchange's number of the instrument: below 2**24, the same for ever."""
    instrument: Instrument


class InstrumentNumbers:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._tokens: OrderedDict[str, int] = OrderedDict()
        self._keys: dict[int, str] = {}

    async def tokens(self, pairs: Iterable[tuple[str, str]]) -> Mapping[str, int]:
        """Numbers of (exchange, symbol) pairs by `EXCHANGE:SYMBOL`; what is not listed is absent."""
        keys = {instrument_key(Exchange(exchange), symbol): (exchange, symbol) for exchange, symbol in pairs}
        missing = [pair for key, pair in keys.items() if key not in self._tokens]
        if missing and await self._learn(missing) < len(missing):
            async with self._database.connection() as connection:
                await connection.execute(_NUMBER_NEW)
            await self._learn(missing)
        return {key: self._tokens[key] for key in keys if key in self._tokens}

    async def keys(self, tokens: Iterable[int]) -> Mapping[int, str]:
        """`EXCHANGE:SYMBOL` by number; unknown numbers are absent."""
        wanted = set(tokens)
        missing = [token for token in wanted if token not in self._keys and 0 < token < 1 << 24]
        if missing:
            async with self._database.connection() as connection:
                for row in await connection.fetch(_BY_NUMBER, missing):
                    self._remember(row["token"], row["exchange"], row["symbol"])
        return {token: self._keys[token] for token in wanted if token in self._keys}

    async def listed(self, exchange: Exchange | None = None) -> AsyncGenerator[list[Numbered]]:
        """The whole catalogue of today, or one exchange's, in pages."""
        async with self._database.connection() as connection:
            await connection.execute(_NUMBER_NEW)
        after = 0
        while True:
            async with self._database.connection() as connection:
                page = await _page(connection, after, exchange)
            if not page:
                return
            after = page[-1].token
            yield page

    async def search(self, exchange: Exchange, prefix: str) -> list[Numbered]:
        """Instruments whose symbols begin so, by symbol; the first two thousand."""
        async with self._database.connection() as connection:
            await connection.execute(_NUMBER_NEW)
            rows = await connection.fetch(_SEARCH, exchange, prefix)
        return [Numbered(row["token"], Instrument.model_validate(dict(row))) for row in rows]

    async def indices(self) -> frozenset[str]:
        """`EXCHANGE:SYMBOL` of every index."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_INDICES)
        return frozenset(instrument_key(Exchange(row["exchange"]), row["symbol"]) for row in rows)

    async def _learn(self, pairs: list[tuple[str, str]]) -> int:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _BY_SYMBOL, [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            )
        for row in rows:
            self._remember(row["token"], row["exchange"], row["symbol"])
        return len(rows)

    def _remember(self, token: int, exchange: str, symbol: str) -> None:
        key = instrument_key(Exchange(exchange), symbol)
        while len(self._tokens) >= _REMEMBERED:
            _, oldest = self._tokens.popitem(last=False)
            self._keys.pop(oldest, None)
        self._tokens[key], self._keys[token] = token, key


async def _page(connection: Connection, after: int, exchange: Exchange | None) -> list[Numbered]:
    rows = await connection.fetch(_LIST, after, exchange)
    return [Numbered(row["token"], Instrument.model_validate(dict(row))) for row in rows]
