"""Market protection: the price beyond which a market order does not trade (market.md §3.1)."""

from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from vyomo_contracts.vocabulary import InstrumentKind, TransactionType
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.tables import in_force, optional_decimal, rows_of


def protection_price(listing: Listing, side: TransactionType, reference: Decimal, on: date) -> Decimal:
    """`reference` (last price, or the trigger of an SL-M) moved by the automatic percentage, on tick, inside the band.

    Rounded away from the market: on a cheap contract the percentage is less than one tick.
    """
    return protected_at(listing, side, reference, automatic_percent(listing, reference, on))


def automatic_percent(listing: Listing, reference: Decimal, on: date) -> Decimal:
    """How far from `reference` a market order may trade, in percent."""
    is_option = listing.instrument.kind is InstrumentKind.OPTION
    return _percent("option" if is_option else "linear", reference, on)


def protected_at(listing: Listing, side: TransactionType, reference: Decimal, percent: Decimal) -> Decimal:
    """`reference` moved by `percent` against the one who trades, on tick, inside the band."""
    tick = listing.instrument.tick_size
    if side is TransactionType.BUY:
        ticks = (reference * (100 + percent) / 100 / tick).to_integral_value(ROUND_CEILING)
        return ticks * tick if listing.highest is None else min(ticks * tick, listing.highest)
    ticks = (reference * (100 - percent) / 100 / tick).to_integral_value(ROUND_FLOOR)
    return max(ticks * tick, listing.lowest)


def _percent(group: str, reference: Decimal, on: date) -> Decimal:
    for below, percent in _steps(group, on):
        if below is None or reference < below:
            return percent
    raise LookupError(f"no market protection for {group} at {reference} on {on}")


@lru_cache(maxsize=16)
def _steps(group: str, on: date) -> tuple[tuple[Decimal | None, Decimal], ...]:
    rows = in_force(rows_of("protection"), on)
    return tuple(
        (optional_decimal(row["below"]), Decimal(row["percent"])) for row in rows if row["group"] == group
    )
