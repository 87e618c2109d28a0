"""Binary frames of Kite's ticker: `u16 count`, then count times `u16 length` and a packet; all big-endian, prices in paise.

Source: Kite Connect v3, WebSocket streaming. Lengths tell the packets apart: 8 last price, 44 quote, 184 full, 28 and 32 of an index.
"""

from collections.abc import Sequence
from decimal import Decimal
from struct import Struct
from typing import Final, Literal

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_paper_exchange.domain.market.book import DEPTH_LEVELS, Level
from vyomo_paper_exchange.doors.prices import Priced

Mode = Literal["ltp", "quote", "full"]

HEARTBEAT: Final = b"\x00"
INDICES: Final = 9
SEGMENTS: Final = {
    Exchange.NSE: 1,
    Exchange.NFO: 2,
    Exchange.BSE: 4,
    Exchange.BFO: 5,
    Exchange.MCX: 7,
}

_U16: Final = Struct(">H")
_LTP: Final = Struct(">2I")
_QUOTE: Final = Struct(">11I")
_FULL: Final = Struct(">16I")
_LEVEL: Final = Struct(">2IH2x")
_INDEX: Final = Struct(">6Ii")
_TIME: Final = Struct(">I")
_PAISE: Final = 100
_U32_MAX: Final = 0xFFFF_FFFF
_U16_MAX: Final = 0xFFFF
_NO_LEVEL: Final = bytes(_LEVEL.size)
PACKETS_MAX: Final = 300
"""Packets of one frame."""


def instrument_token(token: int, instrument: Instrument) -> int:
    """Kite's number of an instrument: the exchange's, and the segment in the last byte."""
    return token << 8 | segment_of(instrument)


def segment_of(instrument: Instrument) -> int:
    return INDICES if instrument.kind is InstrumentKind.INDEX else SEGMENTS[instrument.exchange]


def packet(token: int, priced: Priced, mode: Mode) -> bytes:
    """`token` is Kite's."""
    prices, snapshot = priced.prices, priced.prices.snapshot
    last = _paise(snapshot.last_price)
    if mode == "ltp":
        return _LTP.pack(token, last)
    seconds = int(snapshot.at.timestamp())
    opening, high, low = _paise(prices.opening), _paise(prices.high), _paise(prices.low)
    close = _paise(priced.previous_close)
    if token & 0xFF == INDICES:
        index = _INDEX.pack(token, last, high, low, opening, close, last - close)
        return index + _TIME.pack(seconds) if mode == "full" else index
    values = (
        token,
        last,
        _u32(priced.listing.instrument.lot_size),
        _paise(priced.typical_price),
        _u32(snapshot.volume),
        _u32(sum(level.quantity for level in snapshot.bids)),
        _u32(sum(level.quantity for level in snapshot.asks)),
        opening,
        high,
        low,
        close,
    )
    if mode == "quote":
        return _QUOTE.pack(*values)
    depth = _levels(snapshot.bids) + _levels(snapshot.asks)
    return _FULL.pack(*values, seconds, 0, 0, 0, seconds) + depth


def frame(packets: Sequence[bytes]) -> bytes:
    parts = [_U16.pack(len(packets))]
    for each in packets:
        parts += (_U16.pack(len(each)), each)
    return b"".join(parts)


def _levels(levels: Sequence[Level]) -> bytes:
    packed = [
        _LEVEL.pack(_u32(level.quantity), _paise(level.price), min(level.orders, _U16_MAX))
        for level in levels[:DEPTH_LEVELS]
    ]
    return b"".join(packed) + _NO_LEVEL * (DEPTH_LEVELS - len(packed))


def _paise(price: Decimal) -> int:
    return _u32(int(price * _PAISE))


def _u32(number: int) -> int:
    """What does not fit is shown as the largest that does: a day's volume must not end the stream."""
    return min(max(number, 0), _U32_MAX)
