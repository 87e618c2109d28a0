"""From a deviation of the underlying to a price in ticks. Both pricings are monotone within a bucket, so extremes map exactly."""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import InstrumentKind
from vyomo_paper_exchange.domain.market.options import OptionModel, carried, years_to_expiry
from vyomo_paper_exchange.domain.market.paths import SNAPSHOTS_PER_SECOND, Path

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SNAPSHOT: Final = timedelta(seconds=1) / SNAPSHOTS_PER_SECOND
_BUCKET_BITS: Final = 12
"""An option's time to expiry steps every 1,024 s: constant time makes its price monotone in the spot, so its day's range is exact."""
_REMEMBERED_BUCKETS: Final = 256
_MILLION: Final = 1_000_000


def snapshot_at(at: datetime) -> int:
    return (at - EPOCH) // SNAPSHOT


def time_of(snapshot: int) -> datetime:
    return EPOCH + snapshot * SNAPSHOT


class _RunningRange:
    """The extremes since a fixed snapshot, extended as time moves on and computed anew when it does not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first, self._last = 0, -1
        self._low, self._high = 0, 0

    def between(self, first: int, last: int) -> tuple[int, int]:
        if first != self._first or last < self._last:
            self._low, self._high = self._path.extremes(first, last)
        elif last > self._last:
            low, high = self._path.extremes(self._last + 1, last)
            self._low, self._high = min(self._low, low), max(self._high, high)
        self._first, self._last = first, last
        return self._low, self._high


class Movement:
    """A path with what was last asked of it remembered; many contracts share one. All of it is memory of a pure function."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._day = _RunningRange(path)
        self._bucket = _RunningRange(path)
        self._latest = (-1, 0)
        self._opening: tuple[int, int, int] = (-1, 0, 0)
        self._volume = (-1, 0)
        self._buckets: dict[int, tuple[int, int]] = {}

    def deviation(self, snapshot: int) -> int:
        if self._latest[0] != snapshot:
            self._latest = (snapshot, self._path.deviation(snapshot))
        return self._latest[1]

    def opening(self, first: int) -> int:
        """The deviation at the day's first snapshot."""
        return self._opened(first)[1]

    def volume(self, first: int, last: int) -> int:
        """Units traded from snapshot `first` up to and including `last`."""
        if self._volume[0] != last:
            self._volume = (last, self._path.volume_before(last + 1))
        return self._volume[1] - self._opened(first)[2]

    def range(self, first: int, last: int) -> tuple[int, int]:
        """Extremes of the deviation from `first` to `last`; cheap when `last` moves on from call to call."""
        return self._day.between(first, last)

    def bucket_range(self, first: int, last: int) -> tuple[int, int]:
        """Extremes of a stretch inside one bucket; whole buckets are remembered for every option on this path."""
        if last - first + 1 < 1 << _BUCKET_BITS:
            return self._bucket.between(first, last)
        bucket = first >> _BUCKET_BITS
        if bucket not in self._buckets:
            if len(self._buckets) >= _REMEMBERED_BUCKETS:
                self._buckets.clear()
            self._buckets[bucket] = self._path.extremes(first, last)
        return self._buckets[bucket]

    def _opened(self, first: int) -> tuple[int, int, int]:
        if self._opening[0] != first:
            self._opening = (first, self._path.deviation(first), self._path.volume_before(first))
        return self._opening


class Pricing(Protocol):
    def ticks(self, snapshot: int) -> int: ...

    def opening(self, first: int) -> int:
        """The price in ticks at the day's first snapshot."""
        ...

    def range(self, first: int, last: int) -> tuple[int, int]:
        """Lowest and highest price in ticks of all snapshots from `first` to `last`."""
        ...


class LinearPricing:
    """Cash and futures: the instrument's own reference price moved by the path, kept inside the price band."""

    def __init__(self, instrument: Instrument, movement: Movement) -> None:
        tick, reference = instrument.tick_size, instrument.reference_price
        self._movement = movement
        self._reference_ticks = max(int((reference / tick).to_integral_value()), 1)
        lower, upper = instrument.lower_band, instrument.upper_band
        self._lowest = 1 if lower is None else max(int(-(-lower // tick)), 1)
        self._highest = 1 << 62 if upper is None else int(upper // tick)

    def ticks(self, snapshot: int) -> int:
        return self._ticks(self._movement.deviation(snapshot))

    def opening(self, first: int) -> int:
        return self._ticks(self._movement.opening(first))

    def range(self, first: int, last: int) -> tuple[int, int]:
        low, high = self._movement.range(first, last)
        return self._ticks(low), self._ticks(high)

    def _ticks(self, deviation: int) -> int:
        ticks = (2 * self._reference_ticks * (_MILLION + deviation) + _MILLION) // (2 * _MILLION)
        return min(max(ticks, self._lowest), self._highest)


class OptionPricing:
    """Options: the model value at the underlying's carried price."""

    def __init__(self, instrument: Instrument, root: Instrument, movement: Movement) -> None:
        if instrument.strike is None or instrument.option_type is None or instrument.expiry is None:
            raise ValueError(f"option {instrument.key} lacks strike, type or expiry")
        self._movement = movement
        self._spot = float(root.reference_price)
        self._model = OptionModel.listed(
            instrument.strike, instrument.option_type, instrument.tick_size, root.reference_price
        )
        self._expiry = instrument.expiry
        self._years: tuple[int, float] = (-1, 0.0)
        self._done: tuple[int, int, int, int] = (-1, -1, 0, 0)

    def ticks(self, snapshot: int) -> int:
        return self._value(self._movement.deviation(snapshot), snapshot >> _BUCKET_BITS)

    def opening(self, first: int) -> int:
        return self._value(self._movement.opening(first), first >> _BUCKET_BITS)

    def range(self, first: int, last: int) -> tuple[int, int]:
        done_first, bucket, low, high = self._done
        current = last >> _BUCKET_BITS
        if done_first != first or bucket > current:
            bucket, low, high = first >> _BUCKET_BITS, 1 << 62, 0
        while bucket < current:
            low, high = self._widened(low, high, bucket, first, last)
            bucket += 1
        self._done = (first, bucket, low, high)
        return self._widened(low, high, current, first, last)

    def _widened(self, low: int, high: int, bucket: int, first: int, last: int) -> tuple[int, int]:
        start = bucket << _BUCKET_BITS
        ends = self._movement.bucket_range(max(first, start), min(last, start + (1 << _BUCKET_BITS) - 1))
        one, other = (self._value(deviation, bucket) for deviation in ends)
        return min(low, one, other), max(high, one, other)

    def _value(self, deviation: int, bucket: int) -> int:
        if self._years[0] != bucket:
            self._years = (bucket, years_to_expiry(time_of(bucket << _BUCKET_BITS), self._expiry))
        years = self._years[1]
        forward = carried(self._spot * (1.0 + deviation / _MILLION), years)
        return self._model.ticks(forward, years)


def pricing_of(instrument: Instrument, root: Instrument, movement: Movement) -> Pricing:
    if instrument.kind is InstrumentKind.OPTION:
        return OptionPricing(instrument, root, movement)
    return LinearPricing(instrument, movement)
