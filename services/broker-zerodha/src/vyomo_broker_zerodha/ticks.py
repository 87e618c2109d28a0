"""Binary frames of Kite's ticker. All big-endian: `u16 count`, then count times `u16 length` and a packet.

Source: Kite Connect v3, WebSocket streaming. A frame of one byte is a heartbeat.
"""

from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library's own name is lower case
from typing import Final

from vyomo_broker_kit.ticks import DecodeError, Tick, TickLevel

HEARTBEAT_BYTES: Final = 1
INDICES: Final = 9
"""The segment whose instruments have a value and no market: nobody can trade them."""

_U16: Final = Struct(">H")
_LTP: Final = Struct(">2I")
_QUOTE: Final = Struct(">11I")
_FULL: Final = Struct(">16I" + "2IH2x" * 10)
_INDEX: Final = Struct(">6Ii")
_INDEX_FULL: Final = Struct(">6IiI")

_PAISE: Final = 100
_SCALES: Final = {3: 10_000_000, 6: 10_000, 12: 10_000}
"""Units of a price in a rupee where it is not paise: currency derivatives of NSE and BSE, and NSE's commodities."""

_LEVELS: Final = 5
_FIRST_LEVEL: Final = 16


def decode(frame: bytes) -> list[Tick]:
    """The ticks of one frame; none for a heartbeat.

    A packet of a length that nobody has described is passed over: what Kite adds one day must not hide the prices beside it.

    Raises:
        DecodeError: the lengths in the frame do not add up to the frame.
    """
    if len(frame) <= HEARTBEAT_BYTES:
        return []
    ticks: list[Tick] = []
    try:
        (count,) = _U16.unpack_from(frame)
        at = 2
        for _ in range(count):
            (length,) = _U16.unpack_from(frame, at)
            at += 2
            read = _READERS.get(length)
            if read is not None:
                ticks.append(read(frame, at))
            at += length
    except StructError as error:
        raise DecodeError(f"a frame of {len(frame)} bytes ends within a packet") from error
    if at != len(frame):
        raise DecodeError(f"a frame of {len(frame)} bytes whose packets end at {at}")
    return ticks


def _ltp(frame: bytes, at: int) -> Tick:
    token, last_price = _LTP.unpack_from(frame, at)
    segment = token & 0xFF
    return Tick(token, segment, _SCALES.get(segment, _PAISE), last_price)


def _quote(frame: bytes, at: int) -> Tick:
    values = _QUOTE.unpack_from(frame, at)
    segment = values[0] & 0xFF
    return Tick(values[0], segment, _SCALES.get(segment, _PAISE), *values[1:])


def _full(frame: bytes, at: int) -> Tick:
    values = _FULL.unpack_from(frame, at)
    segment = values[0] & 0xFF
    numbers = values[_FIRST_LEVEL:]
    levels = list(map(TickLevel._make, zip(numbers[1::3], numbers[::3], numbers[2::3], strict=True)))
    return Tick._make(
        (
            values[0],
            segment,
            _SCALES.get(segment, _PAISE),
            *values[1:11],
            values[11] or None,
            values[15] or None,
            values[12],
            _quoted(levels[:_LEVELS]),
            _quoted(levels[_LEVELS:]),
        )
    )


def _quoted(levels: list[TickLevel]) -> tuple[TickLevel, ...]:
    """Without the empty ones: a book of three prices has three levels, not two more at nothing."""
    return tuple([level for level in levels if level[1]])


def _index(frame: bytes, at: int) -> Tick:
    token, last, high, low, opening, close, _ = _INDEX.unpack_from(frame, at)
    return _of_index(token, (last, opening, high, low, close), None)


def _index_full(frame: bytes, at: int) -> Tick:
    token, last, high, low, opening, close, _, seconds = _INDEX_FULL.unpack_from(frame, at)
    return _of_index(token, (last, opening, high, low, close), seconds or None)


def _of_index(token: int, prices: tuple[int, int, int, int, int], seconds: int | None) -> Tick:
    """High and low stand before the opening here, and nowhere else."""
    last, opening, high, low, close = prices
    segment = token & 0xFF
    return Tick(
        token,
        segment,
        _SCALES.get(segment, _PAISE),
        last,
        open_price=opening,
        high_price=high,
        low_price=low,
        close_price=close,
        exchange_time=seconds,
    )


_READERS: Final = {
    _LTP.size: _ltp,
    _INDEX.size: _index,
    _INDEX_FULL.size: _index_full,
    _QUOTE.size: _quote,
    _FULL.size: _full,
}
