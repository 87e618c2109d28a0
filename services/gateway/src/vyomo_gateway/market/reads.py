"""Instrument search on its indexes: the exact symbol, then symbols that begin so, then names that contain it.

The plans are generic (the pool says so), and a generic plan cannot turn `LIKE $1` into a range; so the range is written out with
the operators of the prefix index. What lies inside a word comes from the trigram index, where the server has the extension.
Each statement exists for the built-in market and for brokers' lists, with and without an exchange, because `$1 IS NULL OR ...` would hide the exchange from the planner.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, literal_column, or_, select

from vyomo_contracts.instruments import Instrument
from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import broker_accounts, listings, masters

SHORTEST_INSIDE: Final = 3
"""Trigrams need three letters: without a word of that length the table would be scanned."""
MOST_WORDS: Final = 5
_INSIDE_CANDIDATES: Final = literal_column("200")
"""Matches inside words are ranked among the first so many. A constant: from a parameter the planner would expect a tenth of the
matches to be enough, and read the whole table for them."""
_LARGEST_CHARACTER: Final = "\U0010ffff"

_Rows = Select[*tuple[Any, ...]]

MASTERS = Statement(
    select(
        masters.c.broker,
        masters.c.loaded_at,
        masters.c.listed,
        masters.c.skipped,
        masters.c.problem,
        masters.c.looked_at,
    ).order_by(masters.c.broker)
)

MARKET_OF_ACCOUNT = Statement(
    select(broker_accounts.c.broker, broker_accounts.c.environment, masters.c.loaded_at)
    .outerjoin_from(broker_accounts, masters, masters.c.broker == broker_accounts.c.broker)
    .where(broker_accounts.c.id == bindparam("account_id"), broker_accounts.c.user_id == bindparam("user_id"))
)


def _instruments(market: Table, *, narrowed: bool) -> _Rows:
    """Of `exchange` when `narrowed`; of a broker's list, when it is that table."""
    rows: _Rows = select(*(market.c[name] for name in Instrument.model_fields))
    if market is listings:
        rows = rows.where(market.c.broker == bindparam("broker"))
    return rows.where(market.c.exchange == bindparam("exchange")) if narrowed else rows


@cache
def exact(market: Table, *, narrowed: bool) -> Statement:
    """Instruments called exactly `symbol`."""
    rows = _instruments(market, narrowed=narrowed).where(market.c.symbol == bindparam("symbol"))
    return Statement(rows.order_by(market.c.exchange.desc()).limit(bindparam("limit")))


@cache
def prefix(market: Table, *, narrowed: bool) -> Statement:
    """Instruments between `symbol` and `symbol_end`, see `prefix_end`."""
    above = market.c.symbol.op("~>~")(bindparam("symbol"))
    below = market.c.symbol.op("~<~")(bindparam("symbol_end"))
    rows = _instruments(market, narrowed=narrowed).where(above, below)
    by_symbol = literal_column(f"market.{market.name}.symbol USING ~<~")
    return Statement(rows.order_by(by_symbol).limit(bindparam("limit")))


@cache
def inside(market: Table, words: int, *, narrowed: bool) -> Statement:
    """Instruments whose symbol or name contains every word; `word_0`, ... are patterns of `like_pattern`."""
    text: ColumnElement[str] = market.c.symbol.op("||")(literal_column("' '")).op("||")(market.c.name)
    matches = _instruments(market, narrowed=narrowed).where(
        *(text.op("~~*")(bindparam(f"word_{place}")) for place in range(words))
    )
    candidates = matches.limit(_INSIDE_CANDIDATES).subquery("candidates")
    is_spot = or_(candidates.c.kind == "INDEX", candidates.c.kind == "EQUITY")
    return Statement(
        candidates.select()
        .order_by(is_spot.desc(), func.length(candidates.c.symbol), candidates.c.symbol)
        .limit(bindparam("limit"))
    )


def prefix_end(text: str) -> str:
    """Above every text that begins with `text`."""
    return text + _LARGEST_CHARACTER


def like_pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
