"""Exchange holidays as dated rows: market.md §1.4. Years without rows are known to be unknown."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Final

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.tables import Row, rows_of

_SATURDAY: Final = 5


def calendar_of(exchange: Exchange) -> str:
    return "mcx" if exchange is Exchange.MCX else "equity"


@dataclass(frozen=True, slots=True)
class HolidayCalendar:
    name: str
    holidays: frozenset[date]
    years: frozenset[int]
    """Years with a published list; others are answered only by weekday."""

    @classmethod
    def from_rows(cls, name: str, rows: tuple[Row, ...]) -> "HolidayCalendar":
        days = frozenset(date.fromisoformat(row["date"]) for row in rows if row["calendar"] == name)
        return cls(name=name, holidays=days, years=frozenset(day.year for day in days))

    def covers(self, day: date) -> bool:
        return day.year in self.years

    def is_trading_weekday(self, day: date) -> bool:
        """False on weekends and listed holidays. Special weekend sessions are the session table's matter."""
        return day.weekday() < _SATURDAY and day not in self.holidays

    def trading_day_on_or_before(self, day: date) -> date:
        """`day`, or the previous trading day when it is closed: how an expiry on a holiday moves."""
        while not self.is_trading_weekday(day):
            day -= timedelta(days=1)
        return day


@cache
def holidays_of(exchange: Exchange) -> HolidayCalendar:
    return HolidayCalendar.from_rows(calendar_of(exchange), rows_of("holidays"))
