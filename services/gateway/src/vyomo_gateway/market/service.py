"""Searching instruments and asking for quotes."""

import re
from datetime import datetime
from typing import Final

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import CandleInterval, Exchange
from vyomo_gateway.edge.problems import InvalidRequestError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.market.candles import Candles
from vyomo_gateway.market.quotes import Quotes
from vyomo_gateway.market.reads import (
    MOST_WORDS,
    SHORTEST_INSIDE,
    exact,
    inside,
    like_pattern,
    prefix,
    prefix_end,
)
from vyomo_gateway.market.schemas import CandlesAnswer, CandleView, InstrumentView, QuotesAnswer, QuoteView
from vyomo_gateway.reading import Records
from vyomo_service_kit.database import Row

INSTRUMENT_KEY: Final = re.compile(rf"(?:{'|'.join(Exchange)}):[^\x00-\x1f\x7f]{{1,64}}")


class MarketService:
    def __init__(self, records: Records, quotes: Quotes, candles: Candles) -> None:
        self._records = records
        self._quotes = quotes
        self._candles = candles

    async def search(
        self, caller: Caller, query: str, exchange: Exchange | None, limit: int
    ) -> list[InstrumentView]:
        """Exact symbols first, then symbols that begin with the query, then names and symbols that contain its words."""
        symbol = query.strip().upper()
        words = symbol.split()[:MOST_WORDS]
        found: dict[tuple[str, str], Row] = {}

        def add(rows: list[Row]) -> bool:
            for row in rows:
                found.setdefault((row["exchange"], row["symbol"]), row)
            return len(found) >= limit

        narrowed = exchange is not None
        async with self._records.read(caller) as reader:
            done = bool(symbol) and add(
                await reader.rows(exact(narrowed=narrowed), symbol=symbol, exchange=exchange, limit=limit)
            )
            done = done or add(
                await reader.rows(
                    prefix(narrowed=narrowed),
                    symbol=symbol,
                    symbol_end=prefix_end(symbol),
                    exchange=exchange,
                    limit=limit,
                )
            )
            if not done and max(map(len, words), default=0) >= SHORTEST_INSIDE:
                patterns = {f"word_{place}": like_pattern(word) for place, word in enumerate(words)}
                # Some of these begin with the query and are known already.
                more = limit + len(found)
                statement = inside(len(words), narrowed=narrowed)
                add(await reader.rows(statement, **patterns, exchange=exchange, limit=more))
        return [
            InstrumentView.of(Instrument.model_validate(dict(row))) for row in list(found.values())[:limit]
        ]

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
