"""Prices for the doors: quotes on request, and a stream for whoever subscribes.

While nobody subscribes the stream has no timer. Few instruments are looked at in every snapshot of the market, four times a second;
many take turns, each at least once in a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

import structlog

from vyomo_contracts.instruments import Quote
from vyomo_paper_exchange.domain.market.market import DayPrices, Listing
from vyomo_paper_exchange.domain.market.pricing import snapshot_at, time_of
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.runtime import cancel_and_wait

log = structlog.get_logger()

EVERY_SNAPSHOT_MAX: Final = 250
"""Up to so many instruments are shown at every snapshot."""
TURNS: Final = 4
_YIELD_EACH: Final = 8
"""Orders must not wait for a long list of prices: the loop is let go after so many. An instrument's first price of the day costs milliseconds."""
_RETRY_SECONDS: Final = 1.0


class Priced(NamedTuple):
    """An instrument at one moment."""

    listing: Listing
    prices: DayPrices

    @property
    def previous_close(self) -> Decimal:
        return self.listing.instrument.reference_price

    @property
    def typical_price(self) -> Decimal:
        """Stands for the day's average traded price, which the market has no trades for: mean of high, low and last, on tick."""
        prices, tick = self.prices, self.listing.instrument.tick_size
        mean = (prices.high + prices.low + prices.snapshot.last_price) / 3
        return (mean / tick).to_integral_value() * tick


PriceListener = Callable[[Sequence[tuple[str, Priced]]], None]


class Subscription:
    """What one client follows, by `EXCHANGE:SYMBOL`."""

    def __init__(self, listener: PriceListener) -> None:
        self.listener = listener
        self.keys: set[str] = set()


class Prices:
    def __init__(self, rounds: Rounds, clock: Clock) -> None:
        self._rounds = rounds
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self._wanted = asyncio.Event()
        self._turn = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        streaming = asyncio.create_task(self._stream())
        try:
            yield
        finally:
            await cancel_and_wait(streaming)

    async def quotes(self, keys: Iterable[str]) -> Mapping[str, tuple[Listing, Quote]]:
        """By `EXCHANGE:SYMBOL`; what is not listed is absent."""
        wanted = list(keys)
        view = await self._rounds.view(_pairs(wanted))
        found: dict[str, tuple[Listing, Quote]] = {}
        for key in wanted:
            listing = view.listing_of(key)
            if listing is not None:
                found[key] = (listing, view.quote(listing))
                await asyncio.sleep(0)
        return found

    async def now(self, keys: Sequence[str]) -> Mapping[str, Priced]:
        """The present prices, without the ceremony of a quote."""
        view = await self._rounds.view(_pairs(keys))
        found: dict[str, Priced] = {}
        for place, key in enumerate(keys):
            listing = view.listing_of(key)
            if listing is not None:
                found[key] = Priced(listing, view.day_prices(listing))
            if place % _YIELD_EACH == _YIELD_EACH - 1:
                await asyncio.sleep(0)
        return found

    async def listings(self, keys: Iterable[str]) -> Mapping[str, Listing]:
        """By `EXCHANGE:SYMBOL`; what is not listed is absent."""
        wanted = list(keys)
        view = await self._rounds.view(_pairs(wanted))
        found = {key: view.listing_of(key) for key in wanted}
        return {key: listing for key, listing in found.items() if listing is not None}

    def subscribe(self, listener: PriceListener) -> Subscription:
        subscription = Subscription(listener)
        self._subscriptions.append(subscription)
        self._wanted.set()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    async def _stream(self) -> None:
        while True:
            if not self._subscriptions:
                self._wanted.clear()
            await self._wanted.wait()
            now = self._clock.now()
            await asyncio.sleep((time_of(snapshot_at(now) + 1) - now) / timedelta(seconds=1))
            try:
                await self._show()
            except RecordUnavailableError as error:
                log.warning("door.prices_unavailable", why=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("door.prices_failed")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _show(self) -> None:
        keys = sorted({key for each in self._subscriptions for key in each.keys})
        if len(keys) > EVERY_SNAPSHOT_MAX:
            # A turn of its own: a snapshot that was missed in a busy moment must not be the same quarter's turn again and again.
            self._turn = (self._turn + 1) % TURNS
            keys = keys[self._turn :: TURNS]
        for start in range(0, len(keys), EVERY_SNAPSHOT_MAX):
            shown = await self.now(keys[start : start + EVERY_SNAPSHOT_MAX])
            for subscription in list(self._subscriptions):
                mine = [(key, priced) for key, priced in shown.items() if key in subscription.keys]
                if mine:
                    subscription.listener(mine)


def _pairs(keys: Iterable[str]) -> list[tuple[str, str]]:
    return [(exchange, symbol) for exchange, _, symbol in (key.partition(":") for key in keys)]
