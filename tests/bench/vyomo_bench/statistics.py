"""Percentiles by the nearest rank, so that every figure printed is one that was measured."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(math.ceil(len(ranked) * percent / 100) - 1, 0)]


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)


def spread(name: str, seconds: Sequence[float], percents: Sequence[int]) -> dict[str, float]:
    """`{name}_p50_ms` and so on."""
    return {f"{name}_p{percent}_ms": milliseconds(percentile(seconds, percent)) for percent in percents}
