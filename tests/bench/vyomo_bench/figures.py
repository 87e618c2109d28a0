"""The figures that are shown, their goals, and the floor each one stands on."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Value = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    key: str
    title: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    floor: Mapping[str, int] = field(default_factory=dict[str, int])
    """Keys of measured floors and how many times each is the least that this figure can be."""
    ratio_key: str = ""

    def ratio(self, results: Mapping[str, Value]) -> float | None:
        """The figure as a multiple of its floor."""
        try:
            least = sum(float(results[key]) * times for key, times in self.floor.items())
            return round(float(results[self.key]) / least, 3) if least else None
        except KeyError:
            return None

    def is_reached(self, results: Mapping[str, Value]) -> bool | None:
        """None without a goal."""
        for goal, compare in ((self.at_most, operator.le), (self.at_least, operator.ge)):
            if goal is not None:
                return compare(float(results[self.key]), goal)
        return None

    @property
    def goal(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    @property
    def name_of_ratio(self) -> str:
        return self.ratio_key or f"{self.key.removesuffix('_ms')}_to_floor_ratio"


# A request is at least an HTTP exchange, a hop to the router and back, and a commit; a fill is a hop and a commit more, and a
# hop back to whoever listens.
_ACCEPTED: Final = {"echo_p50_ms": 1, "nats_rtt_p50_ms": 1, "commit_p50_ms": 1}
_FILLED: Final = {"echo_p50_ms": 1, "nats_rtt_p50_ms": 3, "commit_p50_ms": 2}
_LIVE: Final = {"nats_rtt_p50_ms": 2, "commit_p50_ms": 3, "echo_p50_ms": 1}
_ECHO: Final = {"echo_p50_ms": 1}
_ECHO_RATE: Final = {"echo_per_s_64": 1}

FIGURES: Final = (
    Figure(key="accept_p50_ms", title="Accept, 1 client, p50", unit="ms", at_most=5, floor=_ACCEPTED),
    Figure(key="accept_p95_ms", title="Accept, 1 client, p95", unit="ms", floor=_ACCEPTED),
    Figure(key="accept_p99_ms", title="Accept, 1 client, p99", unit="ms", at_most=15, floor=_ACCEPTED),
    Figure(key="filled_p50_ms", title="POST to COMPLETE on the WebSocket, 1 client, p50", unit="ms", at_most=12, floor=_FILLED),
    Figure(key="filled_p99_ms", title="POST to COMPLETE on the WebSocket, 1 client, p99", unit="ms", at_most=30, floor=_FILLED),
    Figure(key="accept_p99_ms_8", title="Accept, 8 clients, p99", unit="ms"),
    Figure(key="accept_p99_ms_32", title="Accept, 32 clients, p99", unit="ms"),
    Figure(key="accept_p99_ms_64", title="Accept, 64 clients, p99", unit="ms", at_most=80),
    Figure(key="accepted_per_s_8", title="Accepted, 8 clients", unit="/s"),
    Figure(key="accepted_per_s_32", title="Accepted, 32 clients", unit="/s"),
    Figure(key="accepted_per_s_64", title="Accepted, 64 clients", unit="/s", floor=_ECHO_RATE, ratio_key="accepted_to_echo_ratio_64"),
    Figure(key="filled_per_s_64", title="Placed and filled, 64 clients", unit="/s", at_least=1200, floor=_ECHO_RATE, ratio_key="filled_to_echo_ratio_64"),
    Figure(key="filled_to_echo_ratio_64", title="Placed and filled to bare echo", unit="", at_least=0.35),
    Figure(key="filled_per_s_256", title="Placed and filled, 256 clients", unit="/s", floor=_ECHO_RATE, ratio_key="filled_to_echo_ratio_256"),
    Figure(key="filled_per_s_single_account_64", title="Placed and filled, 64 clients, one account", unit="/s", floor=_ECHO_RATE, ratio_key="filled_to_echo_ratio_single_account_64"),
    Figure(key="live_shaped_p50_ms", title="Live-shaped path, own overhead, p50", unit="ms", at_most=8, floor=_LIVE),
    Figure(key="orderbook_1000_p50_ms", title="Order book of 1,000, a page, p50", unit="ms", at_most=10, floor=_ECHO),
    Figure(key="orderbook_1000_all_p50_ms", title="Order book of 1,000, all pages, p50", unit="ms", floor=_ECHO),
    Figure(key="positions_p50_ms", title="Positions, p50", unit="ms", at_most=5, floor=_ECHO),
    Figure(key="search_p99_ms", title="Instrument search, p99", unit="ms", at_most=10, floor=_ECHO),
    Figure(key="ws_event_p99_ms", title="Order event to WebSocket client, p99", unit="ms", at_most=60, floor={"nats_rtt_p50_ms": 1}),
    Figure(key="zerodha_quotes_decoded_per_s", title="Kite quote packets decoded on one core", unit="/s", at_least=200_000),
    Figure(key="zerodha_full_decoded_per_s", title="Kite full packets decoded on one core", unit="/s"),
    Figure(key="angel_quotes_decoded_per_s", title="SmartAPI quote packets decoded on one core", unit="/s", at_least=200_000),
    Figure(key="angel_snap_quotes_decoded_per_s", title="SmartAPI snap-quote packets decoded on one core", unit="/s"),
    Figure(key="door_ticks_per_s", title="Kite front door, 3,000 instruments on one session, full mode", unit="ticks/s", at_least=3000),
    Figure(key="door_ticks_lost", title="Kite front door, ticks that were due and did not come", unit="", at_most=0),
    Figure(key="instruments_loaded_s", title="Instrument master of 100,000 rows loaded", unit="s", at_most=5),
    Figure(key="instruments_renewed_s", title="The next day's in its place", unit="s", at_most=5),
    Figure(key="instruments_memory_mb", title="Memory of the process that loads it, at most", unit="MB"),
    Figure(key="cold_start_s", title="Cold start to the first accepted order", unit="s"),
    Figure(key="warm_start_s", title="Warm start to the first accepted order", unit="s", at_most=6),
    Figure(key="memory_pss_mb", title="Memory of all processes (PSS)", unit="MB", at_most=800),
    Figure(key="idle_cpu_percent", title="Processor when idle, of one core", unit="%", at_most=3),
    Figure(key="echo_per_s_64", title="Floor: bare FastAPI echo, 64 clients", unit="/s"),
    Figure(key="echo_p50_ms", title="Floor: bare FastAPI echo, 1 client, p50", unit="ms"),
    Figure(key="nats_rtt_p50_ms", title="Floor: NATS round trip, p50", unit="ms"),
    Figure(key="commit_p50_ms", title="Floor: PostgreSQL commit, p50", unit="ms"),
    Figure(key="fsync_p50_ms", title="Floor: 8 kB fdatasync, p50", unit="ms"),
)  # fmt: skip


def with_ratios(results: Mapping[str, Value]) -> dict[str, Value]:
    """The results and each figure's ratio to its floor."""
    ratios = {
        figure.name_of_ratio: ratio
        for figure in FIGURES
        if figure.floor and (ratio := figure.ratio(results)) is not None
    }
    return {**results, **ratios}
