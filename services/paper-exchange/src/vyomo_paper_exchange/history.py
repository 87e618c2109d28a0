"""Candles of the built-in market, for the doors and for the bus.

A candle is a pure function of its instrument and its time, so nothing is stored; those that are over are remembered, because charts ask
for the same ones again and again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.market.market import Listing, SeededMarket, Stretch
from vyomo_paper_exchange.domain.market.pricing import snapshot_at
from vyomo_paper_exchange.domain.sessions import MarketHours
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.rounds import Rounds, day_session
from vyomo_service_kit.clock import Clock

_YIELD_EACH: Final = 4
"""Orders must not wait for a long list of candles: the loop is let go after so many."""
_LONG: Final = 3_000
"""Snapshots. The extremes of a longer candle take milliseconds, so each lets the loop go."""
_REMEMBERED_INSTRUMENTS: Final = 16
_REMEMBERED_CANDLES: Final = 4_000
"""Of each instrument: two megabytes."""
_CLOSED_DAYS_MAX: Final = 31
"""No exchange is closed for so long: before that, nobody knows when it was open."""
_HOURS: Final = MarketHours()


class Span(NamedTuple):
    """When a candle starts and how long it lasts."""

    at: datetime
    length: timedelta


class Candle(NamedTuple):
    at: datetime
    opening: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class _Remembered:
    __slots__ = ("listing", "stretches")

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.stretches: dict[tuple[int, int], Stretch] = {}


class CandleHistory:
    def __init__(self, rounds: Rounds, clock: Clock, seed: int) -> None:
        self._rounds = rounds
        self._clock = clock
        # Apart from the market that orders trade on: candles jump in time, and what it remembers is of the present.
        self._past = SeededMarket(seed)
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._drawing = asyncio.Lock()

    async def between(
        self, listing: Listing, minutes: int | None, begin: datetime, end: datetime
    ) -> list[Candle]:
        """Those that start from `begin` to `end`, oldest first; `minutes` None is one for each day."""
        return await self.candles(listing, self.spans(listing.instrument.exchange, minutes, begin, end))

    def spans(
        self,
        exchange: Exchange,
        minutes: int | None,
        begin: datetime | None,
        end: datetime,
        at_most: int | None = None,
    ) -> list[Span]:
        """Candles that start from `begin` to `end` and have begun, oldest first; of more than `at_most` the last ones."""
        end = min(end, self._clock.now())
        day, closed_days = trading_day(end), 0
        first = None if begin is None else trading_day(begin)
        found: list[Span] = []
        while closed_days < _CLOSED_DAYS_MAX and (first is None or day >= first):
            spans = self._spans_of_day(exchange, minutes, day)
            closed_days = 0 if spans else closed_days + 1
            found += [
                each for each in reversed(spans) if each.at <= end and (begin is None or each.at >= begin)
            ]
            if at_most is not None and len(found) >= at_most:
                break
            day -= timedelta(days=1)
        return found[:at_most][::-1]

    async def candles(self, listing: Listing, spans: Sequence[Span]) -> list[Candle]:
        """One for each span; the last one may still be growing."""
        candles: list[Candle] = []
        now = snapshot_at(self._clock.now())
        # One request after the other: however many ask, orders share the processor with one of them.
        async with self._drawing:
            known = self._known(listing)
            drawn = 0
            for at, length in spans:
                first, last = snapshot_at(at), snapshot_at(at + length) - 1
                stretch = known.get((first, last))
                if stretch is None:
                    stretch = self._past.stretch(listing, first, min(last, now))
                    if last <= now:
                        known[first, last] = stretch
                    drawn += 1
                    if drawn % _YIELD_EACH == 0 or last - first > _LONG:
                        await asyncio.sleep(0)
                candles.append(Candle(at, *stretch))
        return candles

    def _known(self, listing: Listing) -> dict[tuple[int, int], Stretch]:
        remembered = self._remembered.pop(listing.key, None)
        # With a new day's reference price all its prices are others.
        if remembered is None or remembered.listing != listing:
            remembered = _Remembered(listing)
        if len(remembered.stretches) > _REMEMBERED_CANDLES:
            remembered.stretches.clear()
        self._remembered[listing.key] = remembered
        if len(self._remembered) > _REMEMBERED_INSTRUMENTS:
            self._remembered.popitem(last=False)
        return remembered.stretches

    def _spans_of_day(self, exchange: Exchange, minutes: int | None, day: date) -> list[Span]:
        session = self._session(exchange, day)
        if session is None:
            return []
        opens_at, closes_at = session
        if minutes is None:
            return [Span(opens_at, closes_at - opens_at)]
        length = timedelta(minutes=minutes)
        starts = [opens_at + length * place for place in range(-(-(closes_at - opens_at) // length))]
        # The last one ends with the session: what the market's function would say after it was never shown.
        return [Span(start, min(length, closes_at - start)) for start in starts]

    def _session(self, exchange: Exchange, day: date) -> tuple[datetime, datetime] | None:
        """When candles of a day begin and end; None for a day without any, or that nobody knows of.

        Days that are over have the exchange's own hours, also where the built-in market never closes: that is what programs expect
        of the past, and a fourth of the work.
        """
        today = trading_day(self._clock.now())
        return self._rounds.session(exchange, day) if day >= today else day_session(_HOURS, exchange, day)
