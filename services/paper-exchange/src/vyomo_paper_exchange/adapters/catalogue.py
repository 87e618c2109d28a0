"""The catalogue in `market.instruments`: written at start and on each day change, read on demand."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from vyomo_contracts.instruments import Instrument
from vyomo_ledger.instruments import InstrumentDirectory
from vyomo_paper_exchange.adapters.rows import transposed
from vyomo_paper_exchange.domain.catalogue.built_in import ListedInstrument
from vyomo_paper_exchange.domain.market.market import Listing, listing_of
from vyomo_service_kit.database import Connection

COLUMNS: Final = (
    "exchange",
    "symbol",
    "name",
    "kind",
    "underlying",
    "expiry",
    "strike",
    "option_type",
    "lot_size",
    "tick_size",
    "freeze_quantity",
    "multiplier",
    "reference_price",
    "band_percent",
    "source",
    "updated_at",
)
BUILT_IN_SOURCE: Final = "built-in: "
"""Opens the source of the rows this service owns, so that it never touches a broker's own."""

_TYPES: Final = "text text text text text date numeric text integer numeric integer integer numeric numeric text timestamptz"
_UPSERT: Final = f"""
INSERT INTO market.instruments AS m ({", ".join(COLUMNS)})
SELECT * FROM unnest({", ".join(f"${place}::{name}[]" for place, name in enumerate(_TYPES.split(), start=1))})
ON CONFLICT (exchange, symbol) DO UPDATE SET
    {", ".join(f"{column} = excluded.{column}" for column in COLUMNS[2:])}
WHERE ({", ".join(f"m.{column}" for column in COLUMNS[2:-1])})
      IS DISTINCT FROM ({", ".join(f"excluded.{column}" for column in COLUMNS[2:-1])})
"""
# A contract somebody still holds stays until the day roll has settled it: its settlement needs the strike.
_DELETE_EXPIRED: Final = """
DELETE FROM market.instruments m
WHERE m.expiry < $1 AND starts_with(m.source, $2)
  AND NOT EXISTS (SELECT 1 FROM venue.positions p
                  WHERE p.exchange = m.exchange AND p.symbol = m.symbol AND p.quantity <> 0)
"""


async def write_catalogue(
    connection: Connection, listed: Iterable[ListedInstrument], today: date, at: datetime
) -> int:
    """Insert or update the built-in rows and remove the expired ones; the number of rows written."""
    await connection.execute(_DELETE_EXPIRED, today, BUILT_IN_SOURCE)
    rows = [instrument_row(each.instrument, BUILT_IN_SOURCE + each.source, at) for each in listed]
    status = await connection.execute(_UPSERT, *transposed(rows, len(COLUMNS)))
    return int(status.rpartition(" ")[2])


def instrument_row(instrument: Instrument, source: str, at: datetime) -> tuple[Any, ...]:
    """One value a column of `COLUMNS`."""
    return (
        instrument.exchange,
        instrument.symbol,
        instrument.name,
        instrument.kind,
        instrument.underlying,
        instrument.expiry,
        instrument.strike,
        instrument.option_type,
        instrument.lot_size,
        instrument.tick_size,
        instrument.freeze_quantity,
        instrument.multiplier,
        instrument.reference_price,
        instrument.band_percent,
        source,
        at,
    )


class Listings:
    """Instruments joined to those they derive from; the same object as long as its rows do not change."""

    def __init__(self, directory: InstrumentDirectory) -> None:
        self._directory = directory
        self._known: dict[str, Listing] = {}

    async def find(self, keys: Iterable[tuple[str, str]]) -> Mapping[str, Listing]:
        """Listings by `EXCHANGE:SYMBOL`, those of their underlyings included; unknown instruments are absent."""
        found = await self._directory.find(keys)
        roots = {each.underlying for each in found.values() if each.underlying} - found.keys()
        if roots:
            found |= await self._directory.find(_pair(key) for key in roots)
        return {key: self._listing(key, each, found) for key, each in found.items()}

    def forget(self) -> None:
        self._known.clear()
        self._directory.forget()

    def _listing(self, key: str, instrument: Instrument, found: Mapping[str, Instrument]) -> Listing:
        root = found.get(instrument.underlying) if instrument.underlying else None
        known = self._known.get(key)
        if known is not None and known.instrument is instrument and known.root is (root or instrument):
            return known
        if len(self._known) >= 10_000:
            self._known.clear()
        fresh = listing_of(instrument, root)
        if known is not None and known == fresh:
            return known
        self._known[key] = fresh
        return fresh


def _pair(key: str) -> tuple[str, str]:
    exchange, _, symbol = key.partition(":")
    return exchange, symbol
