"""What the market shows at one snapshot: last price, cumulative volume and five levels a side."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.instruments import Instrument
from vyomo_paper_exchange.domain.market.noise import draw, stream
from vyomo_paper_exchange.domain.market.profile import Liquidity

DEPTH_LEVELS: Final = 5
_SIDE_PERIOD_BITS: Final = 2
_SIZE_PERIOD_BITS: Final = 3
_PRICE_STRIDE: Final = 1_000_003


class Level(NamedTuple):
    price: Decimal
    quantity: int
    orders: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One 250 ms view of one instrument. `number` identifies it: liquidity taken from it is taken once."""

    number: int
    at: datetime
    last_price: Decimal
    volume: int
    """Units traded since the day's first snapshot."""
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class DepthModel:
    """Displayed size as a function of price and time, so that a level keeps its size for about two seconds, as real ones do."""

    def __init__(self, seed: int, instrument: Instrument, liquidity: Liquidity) -> None:
        self._tick = instrument.tick_size
        self._lot = instrument.lot_size
        self._level_lots = max(liquidity.level_quantity // instrument.lot_size, 1)
        self._spread = liquidity.spread_ticks
        self._bid_key = stream(seed, f"bids/{instrument.key}")
        self._ask_key = stream(seed, f"asks/{instrument.key}")
        lower, upper = instrument.lower_band, instrument.upper_band
        self._lowest = 1 if lower is None else max(int(-(-lower // self._tick)), 1)
        self._highest = 1 << 62 if upper is None else int(upper // self._tick)

    def sides(self, last_ticks: int, number: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks around the last trade, which happened at one of the two best prices."""
        bought = draw(self._bid_key ^ self._ask_key, number >> _SIDE_PERIOD_BITS) & 1
        best_bid = last_ticks - self._spread if bought else last_ticks
        best_ask = best_bid + self._spread
        bids = tuple(
            self._level(self._bid_key, best_bid - depth, number, depth)
            for depth in range(DEPTH_LEVELS)
            if best_bid - depth >= self._lowest
        )
        asks = tuple(
            self._level(self._ask_key, best_ask + depth, number, depth)
            for depth in range(DEPTH_LEVELS)
            if best_ask + depth <= self._highest
        )
        return bids, asks

    def _level(self, key: int, ticks: int, number: int, depth: int) -> Level:
        # Each price changes its size at its own moment, else the whole book would blink at once.
        period = (number + ticks) >> _SIZE_PERIOD_BITS
        bits = draw(key, ticks * _PRICE_STRIDE + period)
        lots = max(self._level_lots * (60 + 15 * depth + bits % 80) // 100, 1)
        return Level(self._tick * ticks, lots * self._lot, 1 + (bits >> 40) % (2 + lots % 37))
