"""The market as the rest of the exchange sees it."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.instruments import Instrument, Quote
from vyomo_contracts.vocabulary import InstrumentKind
from vyomo_paper_exchange.domain.market.book import DepthModel, Snapshot
from vyomo_paper_exchange.domain.market.pricing import Movement, Pricing, pricing_of, snapshot_at, time_of
from vyomo_paper_exchange.domain.market.profile import liquidity_of, path_name, path_of
from vyomo_paper_exchange.domain.times import day_start, trading_day

REMEMBERED_INSTRUMENTS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument with the instrument whose path it follows: its underlying, or itself."""

    instrument: Instrument
    root: Instrument
    key: str = field(init=False)
    lowest: Decimal = field(init=False)
    """The lowest price on tick inside the day's band; one tick where there is no band."""
    highest: Decimal | None = field(init=False)

    def __post_init__(self) -> None:
        # Worked out once: every look at the market asks for the key, every market order for the band.
        instrument = self.instrument
        tick, upper = instrument.tick_size, instrument.upper_band
        lowest = max(-(-(instrument.lower_band or tick) // tick) * tick, tick)
        object.__setattr__(self, "key", instrument.key)
        object.__setattr__(self, "lowest", lowest)
        object.__setattr__(self, "highest", None if upper is None else upper // tick * tick)


class DayPrices(NamedTuple):
    """A snapshot with the day around it."""

    snapshot: Snapshot
    opening: Decimal
    high: Decimal
    low: Decimal


class Stretch(NamedTuple):
    """What happened from one snapshot to another, both included."""

    opening: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class _Traded:
    """Everything derived once for an instrument, and its latest snapshot."""

    __slots__ = ("depth", "listing", "movement", "pricing", "quote", "snapshot", "volume_percent")

    def __init__(self, seed: int, listing: Listing, movement: Movement) -> None:
        instrument = listing.instrument
        liquidity = liquidity_of(seed, instrument)
        self.listing = listing
        self.movement = movement
        self.pricing: Pricing = pricing_of(instrument, listing.root, movement)
        self.depth = DepthModel(seed, instrument, liquidity)
        self.snapshot: Snapshot | None = None
        self.quote: tuple[int, int, Quote] | None = None
        root_volume = max(liquidity_of(seed, listing.root).day_volume, 1)
        self.volume_percent = max(liquidity.day_volume * 100 // root_volume, 1)


class SeededMarket:
    """Prices as a pure function of (seed, instrument, time); what it remembers is only speed.

    A day's open, range and volume count from the start of the IST day, or from `opened_at` where the caller keeps sessions.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._movements: dict[str, Movement] = {}
        self._traded: OrderedDict[str, _Traded] = OrderedDict()

    def snapshot(self, listing: Listing, at: datetime, opened_at: datetime | None = None) -> Snapshot:
        number = snapshot_at(at)
        traded = self._of(listing)
        latest = traded.snapshot
        if latest is None or latest.number != number:
            latest = traded.snapshot = self._build(traded, number, _first_snapshot(at, opened_at))
        return latest

    def quote(self, listing: Listing, at: datetime, opened_at: datetime | None = None) -> Quote:
        snapshot, traded = self.snapshot(listing, at, opened_at), self._of(listing)
        first = min(_first_snapshot(at, opened_at), snapshot.number)
        latest = traded.quote
        if latest is not None and latest[:2] == (first, snapshot.number):
            return latest[2]
        quote = _quoted(traded, snapshot, first)
        traded.quote = (first, snapshot.number, quote)
        return quote

    def day(self, listing: Listing, at: datetime, opened_at: datetime | None = None) -> DayPrices:
        """What a quote tells, for those who show very many: nothing is validated."""
        snapshot, traded = self.snapshot(listing, at, opened_at), self._of(listing)
        first = min(_first_snapshot(at, opened_at), snapshot.number)
        pricing, tick = traded.pricing, listing.instrument.tick_size
        low, high = pricing.range(first, snapshot.number)
        return DayPrices(snapshot, tick * pricing.opening(first), tick * high, tick * low)

    def stretch(self, listing: Listing, first: int, last: int) -> Stretch:
        """Of snapshots `first` to `last`; no depth is made for it."""
        traded, instrument = self._of(listing), listing.instrument
        pricing, tick = traded.pricing, instrument.tick_size
        low, high = pricing.range(first, last)
        volume = traded.movement.volume(first, last) * traded.volume_percent // 100
        return Stretch(
            opening=tick * pricing.opening(first),
            high=tick * high,
            low=tick * low,
            close=tick * pricing.ticks(last),
            volume=volume // instrument.lot_size * instrument.lot_size,
        )

    def forget(self) -> None:
        """Drop everything remembered, after the catalogue changed."""
        self._traded.clear()
        self._movements.clear()

    def _build(self, traded: _Traded, number: int, first: int) -> Snapshot:
        ticks = traded.pricing.ticks(number)
        bids, asks = traded.depth.sides(ticks, number)
        instrument = traded.listing.instrument
        volume = traded.movement.volume(min(first, number), number) * traded.volume_percent // 100
        return Snapshot(
            number=number,
            at=time_of(number),
            last_price=instrument.tick_size * ticks,
            volume=volume // instrument.lot_size * instrument.lot_size,
            bids=bids,
            asks=asks,
        )

    def _of(self, listing: Listing) -> _Traded:
        key = listing.key
        traded = self._traded.get(key)
        if traded is None or traded.listing is not listing:
            if len(self._traded) >= REMEMBERED_INSTRUMENTS:
                self._traded.popitem(last=False)
            traded = self._traded[key] = _Traded(self._seed, listing, self._movement(listing.root))
        return traded

    def _movement(self, root: Instrument) -> Movement:
        name = path_name(root)
        if name not in self._movements:
            if len(self._movements) >= REMEMBERED_INSTRUMENTS:
                self._movements.clear()
            self._movements[name] = Movement(path_of(self._seed, root))
        return self._movements[name]


def listing_of(instrument: Instrument, underlying: Instrument | None) -> Listing:
    """`underlying` is the instrument of `instrument.underlying`; without one (commodities) a contract has a path of its own."""
    is_derivative = instrument.kind in {InstrumentKind.FUTURE, InstrumentKind.OPTION}
    return Listing(instrument=instrument, root=underlying if is_derivative and underlying else instrument)


def _quoted(traded: _Traded, snapshot: Snapshot, first: int) -> Quote:
    instrument, pricing = traded.listing.instrument, traded.pricing
    low, high = pricing.range(first, snapshot.number)
    tick = instrument.tick_size
    # Validated as a whole: pydantic does that faster than it builds eleven models one by one.
    return Quote.model_validate(
        {
            "exchange": instrument.exchange,
            "symbol": instrument.symbol,
            "last_price": snapshot.last_price,
            "previous_close": instrument.reference_price,
            "open_price": tick * pricing.opening(first),
            "high_price": tick * high,
            "low_price": tick * low,
            "volume": snapshot.volume,
            "bids": [level._asdict() for level in snapshot.bids],
            "asks": [level._asdict() for level in snapshot.asks],
            "at": snapshot.at,
        }
    )


def _first_snapshot(at: datetime, opened_at: datetime | None) -> int:
    return snapshot_at(opened_at or day_start(trading_day(at)))
