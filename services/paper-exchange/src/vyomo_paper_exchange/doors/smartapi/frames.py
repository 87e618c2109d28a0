"""Binary frames of SmartAPI's WebSocket V2: one packet a frame, little-endian, prices in paise.

Source: SmartAPI, WebSocket streaming 2.0. Lengths by mode: 51 last price, 123 quote, 379 snap quote.
"""

from decimal import Decimal
from enum import IntEnum
from struct import Struct
from typing import Final

from vyomo_paper_exchange.domain.market.book import DEPTH_LEVELS, Level
from vyomo_paper_exchange.doors.prices import Priced
from vyomo_paper_exchange.doors.smartapi.symbols import EXCHANGE_TYPES

PRICES_BEGIN: Final = 43
"""What stands before it (mode, token, sequence, time) differs in frames that say the same."""
_PAISE: Final = 100
_U16_MAX: Final = 0xFFFF
_BUY: Final = 1
_SELL: Final = 0

_HEAD: Final = Struct("<BB25s3q")
_DAY: Final = Struct("<3q2d4q")
_TRADED: Final = Struct("<2qd")
_LEVEL: Final = Struct("<HqqH")
_LIMITS: Final = Struct("<4q")


class Mode(IntEnum):
    LTP = 1
    QUOTE = 2
    SNAP_QUOTE = 3


def frame(number: int, priced: Priced, mode: Mode) -> bytes:
    """`number` is the exchange's of the instrument."""
    prices, snapshot, instrument = priced.prices, priced.prices.snapshot, priced.listing.instrument
    head = _HEAD.pack(
        mode,
        EXCHANGE_TYPES[instrument.exchange],
        str(number).encode(),
        snapshot.number,
        int(snapshot.at.timestamp() * 1000),
        _paise(snapshot.last_price),
    )
    if mode is Mode.LTP:
        return head
    day = _DAY.pack(
        instrument.lot_size,
        _paise(priced.typical_price),
        snapshot.volume,
        float(sum(level.quantity for level in snapshot.bids)),
        float(sum(level.quantity for level in snapshot.asks)),
        _paise(prices.opening),
        _paise(prices.high),
        _paise(prices.low),
        _paise(priced.previous_close),
    )
    if mode is Mode.QUOTE:
        return head + day
    # Clients part the ten levels by their place or by their flag: both say the same.
    depth = _levels(snapshot.bids, _BUY) + _levels(snapshot.asks, _SELL)
    limits = _LIMITS.pack(
        _paise(instrument.upper_band or Decimal(0)),
        _paise(instrument.lower_band or Decimal(0)),
        _paise(prices.high),
        _paise(prices.low),
    )
    return head + day + _TRADED.pack(int(snapshot.at.timestamp()), 0, 0.0) + depth + limits


def _levels(levels: tuple[Level, ...], flag: int) -> bytes:
    packed = [
        _LEVEL.pack(flag, level.quantity, _paise(level.price), min(level.orders, _U16_MAX))
        for level in levels[:DEPTH_LEVELS]
    ]
    return b"".join(packed) + _LEVEL.pack(flag, 0, 0, 0) * (DEPTH_LEVELS - len(packed))


def _paise(price: Decimal) -> int:
    return int(price * _PAISE)
