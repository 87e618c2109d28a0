"""Candles of a span of days, as each protocol asks for them."""

from datetime import date, datetime, timedelta

from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.prices import Candle
from vyomo_paper_exchange.doors.venue import DoorVenue


async def candles_of(
    venue: DoorVenue, listing: Listing, minutes: int | None, begin: datetime, end: datetime
) -> list[Candle]:
    """Those that start from `begin` to `end`; `minutes` None is one for each day."""
    shown: list[Candle] = []
    day = begin.astimezone(IST).date()
    last = min(end, venue.clock.now()).astimezone(IST).date()
    while day <= last:
        starts, length = _day_starts(venue, listing, minutes, day)
        wanted = [each for each in starts if begin <= each <= end]
        shown += await venue.prices.candles(listing, wanted, length)
        day += timedelta(days=1)
    return shown


def _day_starts(
    venue: DoorVenue, listing: Listing, minutes: int | None, day: date
) -> tuple[list[datetime], timedelta]:
    session = venue.prices.session(listing.instrument.exchange, day)
    if session is None:
        return [], timedelta(days=1)
    opens_at, closes_at = session
    if minutes is None:
        return [opens_at], closes_at - opens_at
    length = timedelta(minutes=minutes)
    count = -(-(closes_at - opens_at) // length)
    return [opens_at + length * place for place in range(count)], length
