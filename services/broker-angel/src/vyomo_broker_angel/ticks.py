"""Binary frames of SmartAPI's WebSocket V2: one packet a frame, little-endian, prices in paise.

Source: SmartAPI, WebSocket streaming 2.0. The first byte says the mode; each mode has one length.
"""

from struct import Struct
from struct import error as StructError  # noqa: N812 - the standard library's own name is lower case
from typing import Final

from vyomo_broker_kit.ticks import DecodeError, Tick, TickLevel

LTP: Final = 1
QUOTE: Final = 2
SNAP_QUOTE: Final = 3
DEPTH_20: Final = 4

_LTP: Final = Struct("<BB25s3q")
_QUOTE: Final = Struct("<BB25s3q3q2d4q")
_SNAP: Final = Struct("<BB25s3q3q2d4q2qd" + "HqqH" * 10 + "4q")
_DEPTH: Final = Struct("<BB25s2q" + "iih" * 40)

_PAISE: Final = 100
_SCALES: Final = {13: 10_000_000}
"""Units of a price in a rupee where it is not paise: currency derivatives."""

_FIRST_LEVEL: Final = 18
_AFTER_LEVELS: Final = 58
_FIRST_DEPTH: Final = 5
_DEPTH_LEVELS: Final = 20
_BUY: Final = 1


def decode(frame: bytes) -> Tick:
    """The tick of one frame.

    Raises:
        DecodeError: a mode that nobody has described, a length that is not its mode's, a token that is no number.
    """
    try:
        read = _READERS[frame[0]]
        return read(frame)
    except (IndexError, KeyError) as error:
        raise DecodeError(f"a frame of {len(frame)} bytes in no known mode") from error
    except StructError as error:
        raise DecodeError(f"a frame of {len(frame)} bytes in mode {frame[0]}") from error
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"a frame in mode {frame[0]} with a field that is no number") from error


def _ltp(frame: bytes) -> Tick:
    _, segment, token, _, milliseconds, last_price = _LTP.unpack(frame)
    return Tick(_token(token), segment, _scale(segment), last_price, exchange_time=_seconds(milliseconds))


def _quote(frame: bytes) -> Tick:
    values = _QUOTE.unpack(frame)
    return Tick._make(
        (
            _token(values[2]),
            values[1],
            _scale(values[1]),
            *values[5:9],
            int(values[9]),
            int(values[10]),
            *values[11:15],
            None,
            _seconds(values[4]),
            0,
            (),
            (),
        )
    )


def _snap_quote(frame: bytes) -> Tick:
    values = _SNAP.unpack(frame)
    levels = values[_FIRST_LEVEL:_AFTER_LEVELS]
    sides: tuple[list[TickLevel], list[TickLevel]] = ([], [])
    for flag, quantity, price, orders in zip(
        levels[::4], levels[1::4], levels[2::4], levels[3::4], strict=True
    ):
        if quantity:
            sides[flag != _BUY].append(TickLevel(price, quantity, orders))
    bids, asks = sides
    return Tick._make(
        (
            _token(values[2]),
            values[1],
            _scale(values[1]),
            *values[5:9],
            int(values[9]),
            int(values[10]),
            *values[11:15],
            values[15] or None,
            _seconds(values[4]),
            values[16],
            tuple(bids),
            tuple(asks),
        )
    )


def _depth(frame: bytes) -> Tick:
    values = _DEPTH.unpack(frame)
    numbers = values[_FIRST_DEPTH:]
    levels = list(map(TickLevel._make, zip(numbers[1::3], numbers[::3], numbers[2::3], strict=True)))
    return Tick(
        _token(values[2]),
        values[1],
        _scale(values[1]),
        0,
        exchange_time=_seconds(values[3]),
        bids=tuple([level for level in levels[:_DEPTH_LEVELS] if level.quantity]),
        asks=tuple([level for level in levels[_DEPTH_LEVELS:] if level.quantity]),
    )


def _token(text: bytes) -> int:
    """Digits, then zero bytes. Raises ValueError; `int` alone would take `+1`, `1_0` and blanks."""
    digits = text.rstrip(b"\x00")
    if not digits.isdigit():
        raise ValueError("a token that is no number")
    return int(digits)


def _scale(segment: int) -> int:
    return _SCALES.get(segment, _PAISE)


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds else None


_READERS: Final = {LTP: _ltp, QUOTE: _quote, SNAP_QUOTE: _snap_quote, DEPTH_20: _depth}
