"""Helpers for tests of the exchange: a clock that stands still, orders, and one instant of the built-in market."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from vyomo_contracts.lifecycle import Applied, apply
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import (
    Broker,
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
    Validity,
)
from vyomo_paper_exchange.domain.accounts import AccountBook, VenueAccount
from vyomo_paper_exchange.domain.catalogue.built_in import built_in_catalogue
from vyomo_paper_exchange.domain.execution import Outcome, Round
from vyomo_paper_exchange.domain.margins import MarginRates
from vyomo_paper_exchange.domain.market.book import Level, Snapshot
from vyomo_paper_exchange.domain.market.market import Listing, SeededMarket, listing_of
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.sessions import AlwaysOpen, SessionClock
from vyomo_paper_exchange.domain.tables import rows_of
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.domain.view import MarketView

NOON = datetime(2026, 11, 19, 6, 30, tzinfo=UTC)
"""Thursday 19 November 2026, noon in India: an ordinary trading day."""
ACCOUNT = 7


@dataclass
class StandingClock:
    """Moves only when told."""

    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return self.at.timestamp()

    def move(self, **units: float) -> None:
        self.at += timedelta(**units)


@cache
def listings_on(day: date) -> Mapping[str, Listing]:
    """The built-in catalogue of a day by `EXCHANGE:SYMBOL`."""
    instruments = {listed.instrument.key: listed.instrument for listed in built_in_catalogue(day)}
    return {
        key: listing_of(each, instruments.get(each.underlying) if each.underlying else None)
        for key, each in instruments.items()
    }


def before_a_move(
    market: SeededMarket, listing: Listing, change: Decimal, *, after: datetime = NOON
) -> datetime:
    """The first moment from `after` on that is followed by a move of `change` (a fraction) within twenty minutes."""
    for minute in range(600):
        at = after + timedelta(minutes=minute)
        now, later = (market.snapshot(listing, each).last_price for each in (at, at + timedelta(minutes=20)))
        moved = later / now - 1
        if moved * change > 0 and abs(moved) >= abs(change):
            return at
    raise LookupError(f"{listing.key} never moves by {change} within twenty minutes")


def snapshot(
    last: str, bids: dict[str, int], asks: dict[str, int], *, number: int = 1, volume: int = 0
) -> Snapshot:
    """A hand-made view of an instrument, best prices first."""
    return Snapshot(
        number=number,
        at=NOON,
        last_price=Decimal(last),
        volume=volume,
        bids=tuple(Level(Decimal(price), quantity, 1) for price, quantity in bids.items()),
        asks=tuple(Level(Decimal(price), quantity, 1) for price, quantity in asks.items()),
    )


@dataclass
class MatchingWorld:
    """One account before the built-in market, without database or bus."""

    capital: Decimal | None = Decimal(1_000_000)
    clock: StandingClock = field(default_factory=StandingClock)
    sessions: SessionClock = field(default_factory=AlwaysOpen)
    market: SeededMarket = field(default_factory=lambda: SeededMarket(1))
    consumption: Consumption = field(default_factory=Consumption)
    orders_made: int = 0

    def __post_init__(self) -> None:
        self.listings = listings_on(trading_day(self.clock.at))
        self.rates = MarginRates(rows_of("margin_rates"))
        self.round = self.next_round()

    def next_round(self) -> Round:
        """A round at the clock's present, with the account as the last round left it."""
        view = MarketView(self.market, self.sessions, self.listings, self.clock.now())
        account = VenueAccount(account_id=ACCOUNT, user_id="asha", capital=self.capital, day=view.day)
        book = AccountBook(account=account, rates=self.rates, marks=view.mark, on=view.day)
        working = {}
        if hasattr(self, "round"):
            earlier = self.round.books[ACCOUNT]
            book.account, book.positions = earlier.account, earlier.positions
            book.holdings, book.orders, working = earlier.holdings, earlier.orders, self.round.working
        self.round = Round(
            view=view, consumption=self.consumption.draft(), books={ACCOUNT: book}, working=dict(working)
        )
        return self.round

    @property
    def book(self) -> AccountBook:
        return self.round.books[ACCOUNT]

    def last_price(self, key: str) -> Decimal:
        return self.round.view.snapshot(self.listings[key]).last_price

    def order(self, key: str = "NSE:RELIANCE", **changes: Any) -> Order:
        """A NEW market order to buy ten."""
        exchange, _, symbol = key.partition(":")
        self.orders_made += 1
        order = Order(
            order_id=f"PAPER_{self.orders_made:06d}",
            account_id=ACCOUNT,
            user_id="asha",
            broker=Broker.PAPER,
            symbol=symbol,
            exchange=Exchange(exchange),
            transaction_type=TransactionType.BUY,
            order_type=OrderType.MARKET,
            quantity=10,
            price=ZERO,
            product=Product.MIS,
            validity=Validity.DAY,
            state=OrderState.NEW,
            version=1,
            broker_tag=f"T{self.orders_made:06d}",
            created_at=self.clock.now(),
            updated_at=self.clock.now(),
            expires_at=self.clock.now() + timedelta(seconds=30),
        )
        return order.model_copy(update=changes)

    def limit(self, ticks_away: int, key: str = "NSE:RELIANCE", **changes: Any) -> Order:
        """A limit order `ticks_away` from the last price: negative is below."""
        price = self.last_price(key) + ticks_away * self.listings[key].instrument.tick_size
        return self.order(key, order_type=OrderType.LIMIT, price=price, **changes)

    def place(self, order: Order) -> Outcome:
        self.round.place(order)
        return self.round.outcomes[-1]


def recorded(outcome: Outcome) -> Order:
    """The order as the record keeps it after the outcome."""
    result = apply(outcome.order, outcome.update)
    if not isinstance(result, Applied):
        raise AssertionError(  # noqa: TRY004 - a failed expectation, not a wrong type
            f"the record does not take {outcome.update}: {result}"
        )
    return result.order
