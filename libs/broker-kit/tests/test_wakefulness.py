"""A process that was away is told from one that waited."""

from dataclasses import dataclass
from datetime import UTC, datetime

from vyomo_broker_kit.wakefulness import Wakefulness


@dataclass
class BootClock:
    at: float = 100.0

    def now(self) -> datetime:
        return datetime(2026, 11, 26, tzinfo=UTC)

    def elapsed(self) -> float:
        return self.at


def test_absence_counts_for_what_began_before_it_and_not_for_what_begins_after() -> None:
    clock = BootClock()
    wakefulness = Wakefulness(clock)
    before = wakefulness.moment()
    clock.at += 0.7
    after = wakefulness.moment()
    clock.at += 0.1

    assert wakefulness.was_away(before, 0.5)
    assert not wakefulness.was_away(after, 0.5)
    assert not wakefulness.was_away(before, 0.8)


def test_absence_that_no_tick_has_noticed_yet_counts() -> None:
    clock = BootClock()
    wakefulness = Wakefulness(clock)
    moment = wakefulness.moment()
    clock.at += 0.6

    assert wakefulness.was_away(moment, 0.5)


def test_waiting_that_is_ticked_through_is_no_absence() -> None:
    clock = BootClock()
    wakefulness = Wakefulness(clock)
    began = wakefulness.moment()
    for _ in range(30):
        clock.at += 0.1
        wakefulness.moment()

    assert not wakefulness.was_away(began, 0.5)
