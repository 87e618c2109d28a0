"""Searching instruments and asking for quotes."""

import re
from datetime import datetime
from typing import Final

from sqlalchemy import Table

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, CandleInterval, Environment, Exchange
from vyomo_gateway.edge.problems import AccountNotFoundError, InvalidRequestError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.market.candles import Candles
from vyomo_gateway.market.quotes import Quotes
from vyomo_gateway.market.reads import (
    MARKET_OF_ACCOUNT,
    MASTERS,
    MOST_WORDS,
    SHORTEST_INSIDE,
    exact,
    inside,
    like_pattern,
    prefix,
    prefix_end,
)
from vyomo_gateway.market.schemas import (
    CandlesAnswer,
    CandleView,
    InstrumentView,
    MastersAnswer,
    MasterView,
    QuotesAnswer,
    QuoteView,
)
from vyomo_gateway.reading import Reader, Records
from vyomo_ledger.instruments import market_of
from vyomo_ledger.tables import instruments, listings
from vyomo_service_kit.database import Row

INSTRUMENT_KEY: Final = re.compile(rf"(?:{'|'.join(Exchange)}):[^\x00-\x1f\x7f]{{1,64}}")


class MarketService:
    def __init__(self, records: Records, quotes: Quotes, candles: Candles) -> None:
        self._records = records
        self._quotes = quotes
        self._candles = candles

    async def search(
        self, caller: Caller, query: str, exchange: Exchange | None, account_id: int | None, limit: int
    ) -> list[InstrumentView]:
        """Exact symbols first, then symbols that begin with the query, then names and symbols that contain its words.

        With an account, what it can trade: of a live one what its broker lists.
        """
        symbol = query.strip().upper()
        words = symbol.split()[:MOST_WORDS]
        found: dict[tuple[str, str], Row] = {}

        def add(rows: list[Row]) -> bool:
            for row in rows:
                found.setdefault((row["exchange"], row["symbol"]), row)
            return len(found) >= limit

        narrowed = exchange is not None
        async with self._records.read(caller) as reader:
            market, broker = await _market_of(reader, caller, account_id)
            asked: dict[str, object] = {"exchange": exchange, "broker": broker}
            done = bool(symbol) and add(
                await reader.rows(exact(market, narrowed=narrowed), symbol=symbol, limit=limit, **asked)
            )
            done = done or add(
                await reader.rows(
                    prefix(market, narrowed=narrowed),
                    symbol=symbol,
                    symbol_end=prefix_end(symbol),
                    limit=limit,
                    **asked,
                )
            )
            if not done and max(map(len, words), default=0) >= SHORTEST_INSIDE:
                patterns = {f"word_{place}": like_pattern(word) for place, word in enumerate(words)}
                # Some of these begin with the query and are known already.
                more = limit + len(found)
                statement = inside(market, len(words), narrowed=narrowed)
                add(await reader.rows(statement, **patterns, limit=more, **asked))
        return [
            InstrumentView.of(Instrument.model_validate(dict(row))) for row in list(found.values())[:limit]
        ]

    async def masters(self, caller: Caller) -> MastersAnswer:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(MASTERS)
        return MastersAnswer(masters=[MasterView.of(row) for row in rows])

    async def quotes(self, keys: list[str]) -> QuotesAnswer:
        wanted = checked_keys(keys, field="i")
        found = await self._quotes.ask(wanted)
        return QuotesAnswer(
            quotes=[QuoteView.of(found[key]) for key in wanted if key in found],
            missing=[key for key in wanted if key not in found],
        )

    async def candles(
        self,
        exchange: Exchange,
        symbol: str,
        interval: CandleInterval,
        begin: datetime | None,
        end: datetime | None,
    ) -> CandlesAnswer:
        if begin is not None and end is not None and begin > end:
            raise InvalidRequestError.one(ReasonCode.INVALID_FIELD, "from", "from must not be after to")
        key = instrument_key(exchange, symbol)
        found = await self._candles.ask(key, interval, begin, end)
        return CandlesAnswer(instrument=key, interval=interval, candles=[*map(CandleView.of, found)])


def checked_keys(keys: list[str], *, field: str) -> list[str]:
    """Each instrument once, all of the form `EXCHANGE:SYMBOL`."""
    for key in keys:
        if INSTRUMENT_KEY.fullmatch(key) is None:
            raise InvalidRequestError.one(
                ReasonCode.INVALID_FIELD,
                field,
                f"{field} must be instruments as EXCHANGE:SYMBOL, for example NSE:RELIANCE; "
                f"exchanges are {', '.join(Exchange)}",
            )
    return list(dict.fromkeys(keys))


async def _market_of(reader: Reader, caller: Caller, account_id: int | None) -> tuple[Table, str | None]:
    """The table to search, and whose rows of it."""
    if account_id is None:
        return instruments, None
    row = await reader.row(MARKET_OF_ACCOUNT, account_id=account_id, user_id=caller.user_id)
    if row is None:
        raise AccountNotFoundError(account_id)
    market = market_of(Broker(row["broker"]), Environment(row["environment"]))
    if market is None or row["loaded_at"] is None:
        return instruments, None
    return listings, market
