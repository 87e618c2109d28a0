from datetime import UTC, datetime, timedelta

from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers


class SteppingClock:
    """Goes on by `step` at each look."""

    def __init__(self, step: timedelta) -> None:
        self.step = step
        self.time = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += self.step
        return self.time

    def elapsed(self) -> float:
        return 0.0


def test_identifiers_never_repeat() -> None:
    identifiers = TimeOrderedIdentifiers(SystemClock())

    made = [identifiers.message_id() for _ in range(5000)] + [identifiers.broker_tag() for _ in range(5000)]

    assert len(set(made)) == 10_000


def test_identifiers_sort_by_the_time_they_were_made() -> None:
    identifiers = TimeOrderedIdentifiers(SteppingClock(timedelta(milliseconds=1)))

    messages = [identifiers.message_id() for _ in range(500)]
    orders = [identifiers.order_id("paper") for _ in range(500)]
    tags = [identifiers.broker_tag() for _ in range(500)]

    for made in (messages, orders, tags):
        assert made == sorted(made)


def test_clock_that_goes_back_does_not_take_identifiers_with_it() -> None:
    clock = SteppingClock(timedelta(milliseconds=1))
    identifiers = TimeOrderedIdentifiers(clock)
    before = identifiers.order_id("paper")

    clock.time -= timedelta(hours=1)
    during = identifiers.order_id("paper")
    clock.time += timedelta(hours=2)
    after = identifiers.order_id("paper")

    # The same millisecond: its part of the id is the same, the rest is chance.
    assert during[: len("PAPER_") + 9] == before[: len("PAPER_") + 9]
    assert after > max(before, during)


def test_identifiers_have_the_forms_that_brokers_and_people_take() -> None:
    identifiers = TimeOrderedIdentifiers(SystemClock())

    order_id, tag = identifiers.order_id("zerodha"), identifiers.broker_tag()

    assert order_id.startswith("ZERODHA_")
    assert len(order_id) == len("ZERODHA_") + 26
    assert len(tag) == 15
    assert tag.isalnum()
    assert tag.isupper()
