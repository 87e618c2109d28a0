"""The market at one instant, for everything decided at that instant."""

from collections.abc import Mapping
from datetime import date, datetime

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Quote
from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.accounts import Mark
from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.market.market import DayPrices, Listing, SeededMarket
from vyomo_paper_exchange.domain.sessions import MarketPhase, SessionClock
from vyomo_paper_exchange.domain.times import trading_day


class MarketView:
    """`listings` holds every instrument that will be asked for, by `EXCHANGE:SYMBOL`, with those they derive from."""

    def __init__(
        self, market: SeededMarket, sessions: SessionClock, listings: Mapping[str, Listing], at: datetime
    ) -> None:
        self._market = market
        self._sessions = sessions
        self._listings = listings
        # One instant has one answer to each question, and the orders of a round ask the same ones.
        self._found: dict[tuple[Exchange, str], Listing | None] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._marks: dict[str, Mark] = {}
        self._phases: dict[Exchange, MarketPhase] = {}
        self._priced: dict[Exchange, tuple[datetime, datetime]] = {}
        self.at = at
        self.day: date = trading_day(at)

    def listing(self, exchange: Exchange, symbol: str) -> Listing | None:
        place = (exchange, symbol)
        if place not in self._found:
            self._found[place] = self._listings.get(instrument_key(exchange, symbol))
        return self._found[place]

    def listing_of(self, key: str) -> Listing | None:
        """The listing of an `EXCHANGE:SYMBOL` key."""
        return self._listings.get(key)

    def phase(self, exchange: Exchange) -> MarketPhase:
        if exchange not in self._phases:
            self._phases[exchange] = self._sessions.phase(exchange, self.at)
        return self._phases[exchange]

    def settles_at(self, listing: Listing) -> datetime | None:
        """When the contract is settled and trades no more; None for what does not expire."""
        instrument = listing.instrument
        return instrument.expiry and self._sessions.settles_at(instrument.exchange, instrument.expiry)

    def snapshot(self, listing: Listing) -> Snapshot:
        snapshot = self._snapshots.get(listing.key)
        if snapshot is None:
            opened_at, priced_at = self._priced_at(listing)
            snapshot = self._market.snapshot(listing, priced_at, opened_at)
            self._snapshots[listing.key] = snapshot
        return snapshot

    def quote(self, listing: Listing) -> Quote:
        opened_at, priced_at = self._priced_at(listing)
        return self._market.quote(listing, priced_at, opened_at)

    def day_prices(self, listing: Listing) -> DayPrices:
        opened_at, priced_at = self._priced_at(listing)
        return self._market.day(listing, priced_at, opened_at)

    def mark(self, exchange: Exchange, symbol: str) -> Mark | None:
        listing = self.listing(exchange, symbol)
        if listing is None:
            return None
        mark = self._marks.get(listing.key)
        if mark is None:
            mark = self._marks[listing.key] = self._valued(listing)
        return mark

    def _priced_at(self, listing: Listing) -> tuple[datetime, datetime]:
        exchange, expiry = listing.instrument.exchange, listing.instrument.expiry
        if exchange not in self._priced:
            self._priced[exchange] = self._sessions.priced_at(exchange, self.at)
        opened_at, priced_at = self._priced[exchange]
        if expiry is not None and expiry <= self.day:
            # The price of a settled contract stands still.
            priced_at = min(priced_at, self._sessions.settles_at(exchange, expiry))
        return opened_at, priced_at

    def _valued(self, listing: Listing) -> Mark:
        last_price = self.snapshot(listing).last_price
        if listing.root is listing.instrument:
            return Mark(listing, last_price, last_price)
        root = self._listings.get(listing.root.key) or Listing(listing.root, listing.root)
        return Mark(listing, last_price, self.snapshot(root).last_price)
