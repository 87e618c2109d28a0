"""Indian market time. Everything is aware UTC inside; IST is only where a day begins and what a rule's clock says."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final

IST: Final = timezone(timedelta(hours=5, minutes=30), "IST")
"""India has one offset and no daylight saving time, so no zone database is needed."""

SETTLEMENT_TIME: Final = time(15, 30)
"""When index contracts are settled on their expiry day where sessions are kept: market.md §1.2."""


def trading_day(at: datetime) -> date:
    """The IST calendar day of an instant."""
    return at.astimezone(IST).date()


def ist(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=IST).astimezone(UTC)


@lru_cache(maxsize=16)
def day_start(day: date) -> datetime:
    """Midnight in India. Remembered: every look at the market asks for today's."""
    return ist(day, time(0))


def day_end(day: date) -> datetime:
    return day_start(day + timedelta(days=1))
