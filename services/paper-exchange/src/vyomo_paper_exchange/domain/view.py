"""The market at one instant, for everything decided at that instant."""

from collections.abc import Mapping
from datetime import date, datetime

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Quote
from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.accounts import Mark
from vyomo_paper_exchange.domain.market.book import Snapshot
from vyomo_paper_exchange.domain.market.market import Listing, SeededMarket
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
        self._marks: dict[str, Mark] = {}
        self._priced: dict[Exchange, tuple[datetime, datetime]] = {}
        self.at = at
        self.day: date = trading_day(at)

    def listing(self, exchange: Exchange, symbol: str) -> Listing | None:
        return self._listings.get(instrument_key(exchange, symbol))

    def listing_of(self, key: str) -> Listing | None:
        """The listing of an `EXCHANGE:SYMBOL` key."""
        return self._listings.get(key)

    def phase(self, exchange: Exchange) -> MarketPhase:
        return self._sessions.phase(exchange, self.at)

    def snapshot(self, listing: Listing) -> Snapshot:
        opened_at, priced_at = self._priced_at(listing.instrument.exchange)
        return self._market.snapshot(listing, priced_at, opened_at)

    def quote(self, listing: Listing) -> Quote:
        opened_at, priced_at = self._priced_at(listing.instrument.exchange)
        return self._market.quote(listing, priced_at, opened_at)

    def mark(self, exchange: Exchange, symbol: str) -> Mark | None:
        key = instrument_key(exchange, symbol)
        mark = self._marks.get(key)
        if mark is None:
            listing = self._listings.get(key)
            if listing is None:
                return None
            mark = self._marks[key] = self._valued(listing)
        return mark

    def _priced_at(self, exchange: Exchange) -> tuple[datetime, datetime]:
        if exchange not in self._priced:
            self._priced[exchange] = self._sessions.priced_at(exchange, self.at)
        return self._priced[exchange]

    def _valued(self, listing: Listing) -> Mark:
        last_price = self.snapshot(listing).last_price
        if listing.root is listing.instrument:
            return Mark(listing, last_price, last_price)
        root = self._listings.get(listing.root.key) or Listing(listing.root, listing.root)
        return Mark(listing, last_price, self.snapshot(root).last_price)
