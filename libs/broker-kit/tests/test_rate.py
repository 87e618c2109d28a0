from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.rate import SendRate
from vyomo_contracts.capabilities import OrderRate

RATE = OrderRate(per_second=10, reserved_for_cancels=2, is_brokers=True)


class StillClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def elapsed(self) -> float:
        return self.seconds


def test_entries_leave_room_for_cancellations() -> None:
    rate = SendRate(RATE, StillClock())

    entries = [rate.take(1) for _ in range(9)]
    cancels = [rate.take(1, is_cancel=True) for _ in range(3)]

    assert entries == [True] * 8 + [False]
    assert cancels == [True, True, False]
    assert rate.take(2) is True


def test_room_comes_back_call_by_call() -> None:
    clock = StillClock()
    rate = SendRate(RATE, clock)
    for _ in range(4):
        rate.take(1)
    clock.seconds = 0.5
    for _ in range(4):
        rate.take(1)

    clock.seconds = 1.0

    assert [rate.take(1) for _ in range(5)] == [True] * 4 + [False]


@pytest.mark.parametrize(("window", "limit"), [("per_minute", 20), ("per_hour", 40), ("per_day", 60)])
def test_longer_windows_keep_their_share_for_cancellations_and_exits(window: str, limit: int) -> None:
    clock = StillClock()
    rate = SendRate(RATE.model_copy(update={window: limit}), clock)

    def takes(**kind: bool) -> int:
        count = 0
        for _ in range(2 * limit):
            clock.seconds += 0.15
            count += rate.take(1, **kind)
        return count

    assert (takes(), takes(is_exit=True), takes(is_cancel=True)) == (limit * 8 // 10, limit * 2 // 10, 0)


def test_day_begins_anew_at_midnight_in_india() -> None:
    clock = StillClock()
    rate = SendRate(RATE.model_copy(update={"per_day": 1}), clock)
    clock.seconds = 18.5 * 3600 - 1  # 1 January 1970, a second before midnight in India
    assert [rate.take(1), rate.take(1)] == [True, False]

    clock.seconds += 1

    assert rate.take(1)


@given(
    st.lists(st.tuples(st.floats(0, 0.7), st.integers(1, 2), st.booleans()), max_size=120), st.floats(0, 1)
)
def test_no_second_however_it_is_cut_holds_more_than_the_rate(
    calls: list[tuple[float, int, bool]], offset: float
) -> None:
    clock = StillClock()
    rate = SendRate(RATE, clock)
    sent: dict[tuple[int, int], int] = {}
    for pause, account, is_cancel in calls:
        clock.seconds += pause
        if rate.take(account, is_cancel=is_cancel):
            second = (account, int(clock.seconds + offset))
            sent[second] = sent.get(second, 0) + 1

    assert max(sent.values(), default=0) <= RATE.per_second


def test_accounts_that_are_idle_are_forgotten() -> None:
    clock = StillClock()
    rate = SendRate(RATE, clock)
    for account in range(5_000):
        clock.seconds += 0.01
        assert rate.take(account)

    assert len(rate._calls) <= 1_001  # pyright: ignore[reportPrivateUsage] - memory is what it is about
