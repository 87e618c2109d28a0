"""Expiry days: market.md §2.2.

A rule is a word of the contract table: `weekly:TUE`, `monthly:THU` (last of the month), `day:5:2/4/6` (day of listed months).
An expiry that falls on a holiday moves to the previous trading day, but keeps its series: the weekly that is the last of its
month is the monthly and is named like one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from vyomo_contracts.contract_names import monthly_series, weekly_series
from vyomo_paper_exchange.domain.calendar import HolidayCalendar

_WEEKDAYS: Final = {"MON": 0, "TUE": 1, "WED": 2, "THU": 3, "FRI": 4}
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Expiry:
    """One series: `scheduled` is the rule's day and names the contract, `day` is when it really expires."""

    scheduled: date
    day: date
    is_monthly: bool

    @property
    def series(self) -> str:
        """As contracts are named by it. Kite spells a weekly by its real expiry day."""
        return monthly_series(self.scheduled) if self.is_monthly else weekly_series(self.day)


def expiries_from(rule: str, on: date, holidays: HolidayCalendar) -> Iterator[Expiry]:
    """The series of `rule` that have not expired before `on`, nearest first, without end."""
    # Start early: a series scheduled a few days ago cannot be alive, one scheduled ahead may have moved back to `on`.
    for scheduled, is_monthly in _scheduled_days(rule, on):
        day = holidays.trading_day_on_or_before(scheduled)
        if day >= on:
            yield Expiry(scheduled=scheduled, day=day, is_monthly=is_monthly)


def _scheduled_days(rule: str, on: date) -> Iterator[tuple[date, bool]]:
    kind, _, rest = rule.partition(":")
    if kind == "weekly":
        return _weekdays(_WEEKDAYS[rest], on)
    if kind == "monthly":
        return ((day, True) for day, is_last in _weekdays(_WEEKDAYS[rest], on) if is_last)
    if kind == "day":
        day_of_month, _, months = rest.partition(":")
        return _month_days(int(day_of_month), frozenset(int(month) for month in months.split("/")), on)
    raise ValueError(f"unknown expiry rule {rule!r}: expected weekly:DAY, monthly:DAY or day:N:MONTHS")


def _weekdays(weekday: int, on: date) -> Iterator[tuple[date, bool]]:
    day = on + timedelta(days=(weekday - on.weekday()) % 7)
    while True:
        yield day, (day + timedelta(days=7)).month != day.month
        day += timedelta(days=7)


def _month_days(day_of_month: int, months: frozenset[int], on: date) -> Iterator[tuple[date, bool]]:
    first = on.replace(day=1)
    while True:
        if first.month in months:
            yield first.replace(day=day_of_month), True
        first = (first + 31 * _ONE_DAY).replace(day=1)
