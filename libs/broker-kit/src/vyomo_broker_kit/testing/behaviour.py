"""What a scripted broker does with one order call: scripted call by call, or drawn from a seeded mix of faults."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

Answering = Literal[
    "accept",
    "refuse",
    "drop_before",
    "drop_after",
    "server_error",
    "server_error_after",
    "html",
    "redirect",
    "truncate",
    "empty_id",
    "timed_out_text",
    "rate_limited",
    "answer_twice",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What happens to one place, modify or cancel call.

    Nothing is done by `refuse`, `drop_before` (the connection is closed), `server_error`, `html`, `redirect` (to the same place) and
    `rate_limited`. It is done, and the answer is lost or wrong, by `drop_after`, `server_error_after`, `truncate` (half an answer),
    `empty_id`, `timed_out_text` (400 though it is done) and `answer_twice`.
    """

    placing: Answering = "accept"
    delay_seconds: float = 0.0
    """Before anything is done."""
    answer_delay_seconds: float = 0.0
    """After it is done: longer than the caller waits, it is a time-out of something that happened."""
    appears_after_seconds: float = 0.0
    """The order comes into being this much later than the answer: how "Order request timed out" behaves."""
    book_lag_seconds: float | None = None
    """How much later the book and the trades show it; None leaves it to the broker's own lag."""
    copies: int = 1
    """Orders made of one call: a broker that splits or repeats."""
    fills: tuple[int, ...] | None = None
    """Quantities that fill one per reading of the book; None fills all at once; empty leaves the order open."""
    code: str = "InputException"
    text: str = "the price is out of range"
    """The broker's words for `refuse`."""


COMMON_FAULTS: Final[Mapping[str, Behaviour]] = {
    "accept": Behaviour(),
    "slow": Behaviour(delay_seconds=0.3),
    "parts": Behaviour(fills=(3, 4, 3)),
    "refuse": Behaviour(placing="refuse"),
    "drop_before": Behaviour(placing="drop_before"),
    "drop_after": Behaviour(placing="drop_after"),
    "server_error": Behaviour(placing="server_error"),
    "server_error_after": Behaviour(placing="server_error_after"),
    "truncate": Behaviour(placing="truncate"),
    "answer_twice": Behaviour(placing="answer_twice"),
    "late": Behaviour(placing="timed_out_text", appears_after_seconds=1.5),
    "rate_limited": Behaviour(placing="rate_limited"),
}

COMMON_WEIGHTS: Final[Mapping[str, float]] = {
    "accept": 60,
    "parts": 10,
    **dict.fromkeys(("slow", "refuse", "drop_before", "drop_after", "server_error", "server_error_after"), 4),
    **dict.fromkeys(("truncate", "answer_twice"), 1),
    "late": 3,
    "rate_limited": 1,
}
"""Seven of ten calls go plainly."""


@dataclass
class FaultMix:
    """Draws a behaviour for each order call; the same seed and the same order of arrival give the same draws."""

    seed: int
    weights: Mapping[str, float] = field(default_factory=lambda: dict(COMMON_WEIGHTS))
    faults: Mapping[str, Behaviour] = field(default_factory=lambda: dict(COMMON_FAULTS))

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a test's faults, to be had again from the seed

    def draw(self) -> Behaviour:
        name = self._random.choices(list(self.weights), list(self.weights.values()))[0]
        return self.faults[name]


def behaviour_of(content: Mapping[str, Any]) -> Behaviour:
    """From JSON, as the admin endpoint receives it."""
    behaviour = Behaviour(**content)
    return behaviour if behaviour.fills is None else replace(behaviour, fills=tuple(behaviour.fills))
