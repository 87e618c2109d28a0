"""Tick sizes by dated rows: market.md §2.1. A tick is fixed by the reference price, not by today's price."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.tables import in_force, optional_decimal, rows_of

TickRule = Literal["INDEX", "EQUITY", "STOCK_FUTURE", "INDEX_FUTURE", "OPTION", "COMMODITY_FUTURE"]


def tick_size(exchange: Exchange, rule: TickRule, reference: Decimal, on: date) -> Decimal:
    """The tick for a reference price; for an index future the reference is the index level."""
    for row in in_force(rows_of("ticks"), on):
        if row["exchange"] != exchange or row["rule"] != rule:
            continue
        above, up_to = Decimal(row["above"]), optional_decimal(row["up_to"])
        # The table reads "< 250" then "250-1,000", but "> 1,000" from there: the first bound belongs to the row above it.
        is_above = reference >= above if above <= 250 else reference > above
        is_within = up_to is None or (reference < up_to if up_to <= 250 else reference <= up_to)
        if is_above and is_within:
            return Decimal(row["tick_size"])
    raise LookupError(f"no tick rule for {exchange} {rule} at {reference} on {on}")


def to_tick(price: Decimal, tick: Decimal) -> Decimal:
    """The nearest price on the tick, at least one tick."""
    return max((price / tick).quantize(Decimal(1), rounding=ROUND_HALF_UP), Decimal(1)) * tick
