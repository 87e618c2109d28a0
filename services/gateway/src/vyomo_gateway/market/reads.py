"""Instrument search on its indexes: the exact symbol, then symbols that begin so, then names that contain it.

The plans are generic (the pool says so), and a generic plan cannot turn `LIKE $1` into a range; so the range is written out with
the operators of the prefix index. What lies inside a word comes from the trigram index, where the server has the extension.
Each statement exists with and without an exchange, because `$1 IS NULL OR ...` would hide the exchange from the planner.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, or_, select

from vyomo_contracts.instruments import Instrument
from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import instruments

SHORTEST_INSIDE: Final = 3
"""Trigrams need three letters: without a word of that length the table would be scanned."""
MOST_WORDS: Final = 5
_INSIDE_CANDIDATES: Final = literal_column("200")
"""Matches inside words are ranked among the first so many. A constant: from a parameter the planner would expect a tenth of the
matches to be enough, and read the whole table for them."""
_LARGEST_CHARACTER: Final = "\U0010ffff"

_Rows = Select[*tuple[Any, ...]]
_c = instruments.c
_INSTRUMENT: _Rows = select(*(instruments.c[name] for name in Instrument.model_fields))


def _on_exchange(rows: _Rows, *, narrowed: bool) -> _Rows:
    return rows.where(_c.exchange == bindparam("exchange")) if narrowed else rows


@cache
def exact(*, narrowed: bool) -> Statement:
    """Instruments called exactly `symbol`, of `exchange` when `narrowed`."""
    rows = _on_exchange(_INSTRUMENT.where(_c.symbol == bindparam("symbol")), narrowed=narrowed)
    return Statement(rows.order_by(_c.exchange.desc()).limit(bindparam("limit")))


@cache
def prefix(*, narrowed: bool) -> Statement:
    """Instruments between `symbol` and `symbol_end`, see `prefix_end`."""
    above = _c.symbol.op("~>~")(bindparam("symbol"))
    below = _c.symbol.op("~<~")(bindparam("symbol_end"))
    rows = _on_exchange(_INSTRUMENT.where(above, below), narrowed=narrowed)
    return Statement(
        rows.order_by(literal_column("market.instruments.symbol USING ~<~")).limit(bindparam("limit"))
    )


@cache
def inside(words: int, *, narrowed: bool) -> Statement:
    """Instruments whose symbol or name contains every word; `word_0`, ... are patterns of `like_pattern`."""
    text: ColumnElement[str] = _c.symbol.op("||")(literal_column("' '")).op("||")(_c.name)
    matches = _INSTRUMENT.where(*(text.op("~~*")(bindparam(f"word_{place}")) for place in range(words)))
    candidates = _on_exchange(matches, narrowed=narrowed).limit(_INSIDE_CANDIDATES).subquery("candidates")
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
