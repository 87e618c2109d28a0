from datetime import UTC, date, datetime

import pytest

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.sessions import (
    AlwaysOpen,
    MarketHours,
    Session,
    SessionTableExhaustedError,
    session_of,
)
from vyomo_paper_exchange.domain.times import IST


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+05:30").astimezone(UTC)


def hours(session: Session | None) -> str | None:
    if session is None:
        return None
    return f"{session.opens_at.astimezone(IST):%H:%M}-{session.closes_at.astimezone(IST):%H:%M}"


@pytest.mark.parametrize(
    ("segment", "day", "expected"),
    [
        ("cash", "2026-07-31", "09:15-15:30"),
        ("cash", "2026-08-03", "09:15-15:15"),
        ("cash", "2026-12-07", "09:15-15:30"),
        ("derivatives", "2026-07-31", "09:15-15:30"),
        ("derivatives", "2026-08-03", "09:15-15:40"),
        ("derivatives", "2026-12-07", "09:15-15:45"),
        ("cash", "2026-11-24", None),
        ("cash", "2026-11-22", None),
        ("cash", "2026-02-01", "09:15-15:30"),
        ("derivatives", "2026-11-08", "18:15-19:15"),
        ("mcx", "2026-10-30", "09:00-23:30"),
        ("mcx", "2026-11-02", "09:00-23:55"),
        ("mcx", "2026-03-06", "09:00-23:55"),
        ("mcx", "2026-03-09", "09:00-23:30"),
        ("mcx", "2026-11-24", "17:00-23:55"),
        ("mcx", "2026-12-25", None),
    ],
)
def test_session_is_the_one_in_force_on_the_day(segment: str, day: str, expected: str | None) -> None:
    assert hours(session_of(segment, date.fromisoformat(day))) == expected  # pyright: ignore[reportArgumentType]


def test_market_is_open_between_its_hours_and_names_the_next_opening_after_them() -> None:
    clock = MarketHours()

    assert clock.phase(Exchange.NSE, at("2026-11-20T09:15:00")).session is not None
    assert clock.phase(Exchange.NSE, at("2026-11-20T15:15:00")).session is None
    # Friday evening before a Tuesday holiday: Monday is next.
    assert clock.phase(Exchange.NSE, at("2026-11-20T18:00:00")).next_opening == at("2026-11-23T09:15:00")
    assert clock.phase(Exchange.NFO, at("2026-11-23T18:00:00")).next_opening == at("2026-11-25T09:15:00")
    assert clock.phase(Exchange.NSE, at("2026-11-20T08:00:00")).next_opening == at("2026-11-20T09:15:00")


def test_day_beyond_the_table_is_refused_and_says_what_is_missing() -> None:
    with pytest.raises(SessionTableExhaustedError, match="no cash session rows for 2027-01-04"):
        MarketHours().phase(Exchange.NSE, at("2027-01-04T10:00:00"))


def test_prices_stand_still_at_the_close_until_the_next_opening() -> None:
    friday = (at("2026-11-20T09:15:00"), at("2026-11-20T15:15:00"))

    assert MarketHours().priced_at(Exchange.NSE, at("2026-11-22T12:00:00")) == friday
    assert MarketHours().priced_at(Exchange.NSE, at("2026-11-23T08:00:00")) == friday
    noon = at("2026-11-20T12:00:00")
    assert MarketHours().priced_at(Exchange.NSE, noon) == (friday[0], noon)
    assert MarketHours().priced_at(Exchange.NSE, at("2027-02-01T12:00:00"))[1] == at("2026-12-31T15:30:00")


def test_always_open_market_has_one_session_a_day() -> None:
    session = AlwaysOpen().phase(Exchange.NSE, at("2026-11-22T03:00:00")).session

    assert session == Session(at("2026-11-22T00:00:00"), at("2026-11-23T00:00:00"))


@pytest.mark.parametrize(
    ("sessions", "exchange", "settled_at"),
    [
        (MarketHours(), Exchange.NFO, "2026-12-01T15:30:00"),
        (MarketHours(), Exchange.BFO, "2026-12-01T15:30:00"),
        (MarketHours(), Exchange.MCX, "2026-12-01T23:55:00"),
        (AlwaysOpen(), Exchange.NFO, "2026-12-02T00:00:00"),
        (AlwaysOpen(), Exchange.MCX, "2026-12-02T00:00:00"),
    ],
)
def test_contract_is_settled_when_it_stops_trading(
    sessions: AlwaysOpen | MarketHours, exchange: Exchange, settled_at: str
) -> None:
    assert sessions.settles_at(exchange, date(2026, 12, 1)) == at(settled_at)
