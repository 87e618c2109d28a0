"""How much of everything: the full run takes about three minutes, the quick one ends within forty seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    background_seconds: float
    floor_rounds: int
    echo_seconds: float
    warm_up_seconds: float
    sequential_orders: int
    window_seconds: float
    """Of each number of clients; the one at 64 clients, which the goals name, is half as long again."""
    followed_orders: int
    paced_orders: int
    paced_per_second: float
    reads: int
    idle_seconds: float
    live_orders: int
    instruments: int
    restarts: bool
    """Measure the warm start too, with all instruments loaded."""
    limit_seconds: float
    """No scenario begins later than this; what was left out is named."""


FULL = Sizes(
    background_seconds=2,
    floor_rounds=500,
    echo_seconds=4,
    warm_up_seconds=2,
    sequential_orders=600,
    window_seconds=5,
    followed_orders=400,
    paced_orders=1000,
    paced_per_second=200,
    reads=300,
    idle_seconds=8,
    live_orders=200,
    instruments=100_000,
    restarts=True,
    limit_seconds=240,
)

QUICK = Sizes(
    background_seconds=0.5,
    floor_rounds=150,
    echo_seconds=1,
    warm_up_seconds=0.7,
    sequential_orders=120,
    window_seconds=1.2,
    followed_orders=80,
    paced_orders=120,
    paced_per_second=120,
    reads=60,
    idle_seconds=5,
    live_orders=40,
    instruments=20_000,
    restarts=False,
    limit_seconds=33,
)

SYMBOLS = 50
ACCOUNTS = 64
BOOK_ORDERS = 1000
"""Orders of the account whose book is read."""
POSITIONS = 30
"""Positions of the account whose positions are read."""
