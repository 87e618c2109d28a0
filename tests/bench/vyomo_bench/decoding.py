"""Binary ticks of the brokers' feeds, decoded in this process: packets a second on one core."""

import struct
import time

from vyomo_broker_angel.ticks import decode as decode_angel
from vyomo_broker_zerodha.ticks import decode as decode_zerodha

from .bench import Bench, Results
from .statistics import percentile

_PACKETS = 500
"""Of a frame of Kite's; SmartAPI sends one packet a frame."""
_ROUNDS = 60


async def decoding(_: Bench) -> Results:
    """The median of some rounds for a quote and for a full packet of each broker."""
    return {
        "zerodha_quotes_decoded_per_s": _kite(44),
        "zerodha_full_decoded_per_s": _kite(184),
        "angel_quotes_decoded_per_s": _smart(2, 123),
        "angel_snap_quotes_decoded_per_s": _smart(3, 379),
    }


def _kite(size: int) -> int:
    values = (408065, *range(1_000, 1_000 + size // 4 - 1))
    packet = struct.pack(f">H{size // 4}I", size, *values)
    frame = struct.pack(">H", _PACKETS) + packet * _PACKETS
    rates: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        decode_zerodha(frame)
        rates.append(_PACKETS / (time.perf_counter() - began))
    return round(percentile(rates, 50))


def _smart(mode: int, size: int) -> int:
    # The bytes of any number will do, but for those of the token and of the two that are floating-point.
    frame = (struct.pack("<BB25s", mode, 1, b"3045") + b"\x01" * size)[:size]
    rates: list[float] = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_PACKETS):
            decode_angel(frame)
        rates.append(_PACKETS / (time.perf_counter() - began))
    return round(percentile(rates, 50))
