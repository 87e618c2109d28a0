"""Hashed randomness: a number for any (stream, position), the same on every machine, with no state between draws."""

from hashlib import blake2b
from typing import Final

_MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15
_HALF: Final = 1 << 32


def stream(seed: int, name: str) -> int:
    """The key of an independent random sequence."""
    return int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")


def draw(key: int, position: int) -> int:
    """64 well mixed bits for one position of a stream (the finaliser of the SplitMix64 generator)."""
    bits = (key + position * _STEP) & _MASK
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & _MASK
    return bits ^ (bits >> 31)


def centred(bits: int) -> int:
    """A number in (-2**32, 2**32), triangular around 0: the sum of two uniform halves."""
    return (bits & 0xFFFFFFFF) + (bits >> 32) - _HALF


def displaced(bits: int, bound: int) -> int:
    """A step of either sign between half of `bound` and `bound`.

    Steps close to their bound keep the bound of a whole path tight, which is what makes the search for its extremes short; sums of
    such steps of falling size are smooth all the same.
    """
    step = (_HALF + (bits & 0xFFFFFFFE)) * bound >> 33
    return step if bits & 1 else -step
