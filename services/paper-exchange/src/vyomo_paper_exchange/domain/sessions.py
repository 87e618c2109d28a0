"""When the market is open: dated session templates and special days (market.md §1.1-1.4).

The table is never guessed beyond: a day without rows is an error that says which rows are missing.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.calendar import holidays_of
from vyomo_paper_exchange.domain.tables import Row, is_in_force, rows_of
from vyomo_paper_exchange.domain.times import SETTLEMENT_TIME, day_end, day_start, ist, trading_day

Segment = Literal["cash", "derivatives", "mcx"]

_US_CLOSE: Final = "us-close"
_US: Final = ZoneInfo("America/New_York")
_SEARCH_DAYS: Final = 15
_PRICE_SEARCH_DAYS: Final = 800


class SessionTableExhaustedError(LookupError):
    """A day beyond the dated session rows was asked for."""

    def __init__(self, segment: Segment, day: date) -> None:
        super().__init__(
            f"no {segment} session rows for {day.isoformat()}: add that year's holidays and sessions to the tables"
        )


@dataclass(frozen=True, slots=True)
class Session:
    opens_at: datetime
    closes_at: datetime

    def contains(self, at: datetime) -> bool:
        return self.opens_at <= at < self.closes_at


@dataclass(frozen=True, slots=True)
class MarketPhase:
    """Where an instant stands: inside `session`, or closed until `next_opening`."""

    session: Session | None
    next_opening: datetime | None = None


def segment_of(exchange: Exchange) -> Segment:
    if exchange is Exchange.MCX:
        return "mcx"
    return "cash" if exchange.is_cash else "derivatives"


class AlwaysOpen:
    """Every IST day is one session from midnight to midnight, so that the first start shows moving prices."""

    def phase(self, exchange: Exchange, at: datetime) -> MarketPhase:  # noqa: ARG002 -- the clock's interface
        return MarketPhase(session=_whole_day(trading_day(at)))

    def priced_at(self, exchange: Exchange, at: datetime) -> tuple[datetime, datetime]:  # noqa: ARG002
        """The market moves all the time: (when the day's session opened, the instant whose price counts)."""
        return day_start(trading_day(at)), at

    def settles_at(self, exchange: Exchange, expiry: date) -> datetime:  # noqa: ARG002
        """When a contract stops trading and its final price is taken: never before its last trade, or that price would be known."""
        return day_end(expiry)


class MarketHours:
    """Sessions as the exchanges keep them."""

    def phase(self, exchange: Exchange, at: datetime) -> MarketPhase:
        segment, day = segment_of(exchange), trading_day(at)
        session = session_of(segment, day)
        if session is not None and session.contains(at):
            return MarketPhase(session=session)
        for ahead in range(_SEARCH_DAYS):
            session = session_of(segment, day + timedelta(days=ahead))
            if session is not None and session.opens_at > at:
                return MarketPhase(session=None, next_opening=session.opens_at)
        raise SessionTableExhaustedError(segment, day + timedelta(days=_SEARCH_DAYS))

    def priced_at(self, exchange: Exchange, at: datetime) -> tuple[datetime, datetime]:
        """(opening of the latest session, `at` or that session's end if it is over): prices stand still while closed."""
        session = _latest_session(segment_of(exchange), trading_day(at))
        if session.opens_at > at:
            session = _latest_session(segment_of(exchange), trading_day(at) - timedelta(days=1))
        return session.opens_at, min(at, session.closes_at)

    def settles_at(self, exchange: Exchange, expiry: date) -> datetime:
        """When a contract stops trading and its final price is taken."""
        return ist(expiry, _mcx_close(expiry) if exchange is Exchange.MCX else SETTLEMENT_TIME)


SessionClock = AlwaysOpen | MarketHours


@cache
def session_of(segment: Segment, day: date) -> Session | None:
    """The session of a day; None on a day without one."""
    rows = [row for row in rows_of("sessions") if row["segment"] == segment]
    for row in rows:
        if row["date"] == day.isoformat():
            return _session(row, day)
    template = next((row for row in rows if not row["date"] and is_in_force(row, day)), None)
    holidays = holidays_of(Exchange.MCX if segment == "mcx" else Exchange.NSE)
    if template is None or not holidays.covers(day):
        raise SessionTableExhaustedError(segment, day)
    return _session(template, day) if holidays.is_trading_weekday(day) else None


@cache
def _latest_session(segment: Segment, day: date) -> Session:
    """The session of `day` or the last one before it. Days beyond the table count as closed: a price may stand still, an order
    may not trade on it.
    """
    for back in range(_PRICE_SEARCH_DAYS):
        try:
            session = session_of(segment, day - timedelta(days=back))
        except SessionTableExhaustedError:
            continue
        if session is not None:
            return session
    raise SessionTableExhaustedError(segment, day)


def _session(row: Row, day: date) -> Session:
    closes = _mcx_close(day) if row["closes"] == _US_CLOSE else time.fromisoformat(row["closes"])
    return Session(opens_at=ist(day, time.fromisoformat(row["opens"])), closes_at=ist(day, closes))


def _mcx_close(day: date) -> time:
    """23:30 while the United States keep daylight saving time, else 23:55."""
    noon = datetime.combine(day, time(12), tzinfo=_US)
    return time(23, 30) if noon.dst() else time(23, 55)


def _whole_day(day: date) -> Session:
    return Session(opens_at=day_start(day), closes_at=day_end(day))
