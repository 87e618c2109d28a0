"""Between a ledger transaction and a round of the exchange: load what the round needs, and write what it decided."""

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal

from vyomo_contracts.lifecycle import Illegal, OrderUpdate, Stale
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange, Origin
from vyomo_ledger.writing import LedgerTransaction, Step
from vyomo_paper_exchange.adapters.catalogue import Listings
from vyomo_paper_exchange.adapters.store import AccountRows, VenueStore
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey
from vyomo_paper_exchange.domain.execution import Outcome, Round
from vyomo_paper_exchange.domain.margins import MarginRates
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.positions import to_contract
from vyomo_paper_exchange.domain.rolling import final_price, roll_day
from vyomo_paper_exchange.domain.sessions import SessionClock, SessionTableExhaustedError
from vyomo_paper_exchange.domain.times import ist, trading_day
from vyomo_paper_exchange.domain.view import MarketView
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database


class RecordDisagreesError(Exception):
    """The record refused what the exchange decided about a locked order: a bug, so nothing of the round is kept."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"the record refuses the outcome of {order_id}: {why}")


class Rounds:
    def __init__(
        self,
        *,
        database: Database,
        store: VenueStore,
        listings: Listings,
        market: SeededMarket,
        sessions: SessionClock,
        rates: MarginRates,
        clock: Clock,
    ) -> None:
        self._database = database
        self._store = store
        self._listings = listings
        self._market = market
        self._sessions = sessions
        self._rates = rates
        self._clock = clock

    async def view(self, pairs: Iterable[tuple[str, str]]) -> MarketView:
        """The market now, for these (exchange, symbol) pairs."""
        found = await self._listings.find(pairs)
        return MarketView(self._market, self._sessions, found, self._clock.now())

    def session(self, exchange: Exchange, day: date) -> tuple[datetime, datetime] | None:
        """When the exchange opens and closes on a day; None where it does not, or where the tables end."""
        return day_session(self._sessions, exchange, day)

    async def begin(
        self,
        transaction: LedgerTransaction,
        account_ids: Iterable[int],
        touched: Iterable[tuple[str, str]],
        *,
        order_ids: Iterable[str] = (),
        consumption: Consumption,
    ) -> Round:
        """Lock and load the accounts as they are now; a new trading day begins with its first round."""
        pairs, connection = set(touched), transaction.connection
        today = trading_day(self._clock.now())
        loaded = await self._store.load(connection, account_ids, pairs, today)
        working = await self._store.orders(connection, list(order_ids))
        for rows in loaded.values():
            pairs.update((position.exchange, position.symbol) for position in rows.positions)
            pairs.update((group.exchange, group.symbol) for group, _, _, _ in rows.open_orders)
            pairs.update((holding.exchange, holding.symbol) for holding in rows.holdings)
        view = await self.view(pairs)
        books = {account_id: self._book(rows, view) for account_id, rows in loaded.items()}
        return Round(view=view, consumption=consumption, books=books, working=working)

    def finish(self, transaction: LedgerTransaction, round_: Round) -> None:
        """Write the round into the record and the venue's tables; the caller's transaction commits both or neither."""
        # What became of an order that was placed at a door, the record learns by reconciliation.
        recorded = [_recorded(outcome) for outcome in round_.outcomes if not outcome.order.order_id.isdigit()]
        steps = [Step(order=each.order, update=each.update, fills=each.fills) for each in recorded]
        for outcome, result in zip(recorded, transaction.step(steps), strict=True):
            if isinstance(result, Illegal | Stale):
                raise RecordDisagreesError(outcome.order.order_id, result.why)
        view = round_.view
        for book in round_.books.values():
            account = book.account
            if account.is_sandbox:
                book.begin_version()
                continue
            transaction.save_positions(
                to_contract(
                    book.positions[key],
                    account_id=account.account_id,
                    user_id=account.user_id,
                    last_price=_last_price(view, key.exchange, key.symbol),
                    at=view.at,
                )
                for key in sorted(book.changed)
            )
            transaction.save_funds([book.funds(view.at)])
            transaction.save_holdings(
                [
                    book.holdings[place].to_contract(account.account_id, _last_price(view, *place), view.at)
                    for place in sorted(book.changed_holdings)
                ],
                user_id=account.user_id,
                broker="paper",
            )
        self._store.save(transaction, round_.changed.values(), round_.books.values(), round_.fills)

    async def look(self, account_id: int) -> tuple[AccountBook, MarketView]:
        """The account as it is, valued now; nothing is locked or written.

        Raises:
            LookupError: no such account at the venue.
        """
        today = trading_day(self._clock.now())
        async with self._database.connection() as connection:
            rows = await self._store.peek(connection, account_id, today)
        pairs = {(position.exchange, position.symbol) for position in rows.positions}
        pairs.update((group.exchange, group.symbol) for group, _, _, _ in rows.open_orders)
        pairs.update((holding.exchange, holding.symbol) for holding in rows.holdings)
        view = await self.view(pairs)
        return self._book(rows, view), view

    def _book(self, rows: AccountRows, view: MarketView) -> AccountBook:
        book = AccountBook(account=rows.account, rates=self._rates, marks=view.mark, on=view.day)
        book.positions = {
            GroupKey(position.exchange, position.symbol, position.product): position
            for position in rows.positions
        }
        book.holdings = {(holding.exchange, holding.symbol): holding for holding in rows.holdings}
        for group, side, quantity, value in rows.open_orders:
            listing = view.listing(group.exchange, group.symbol)
            multiplier = listing.instrument.multiplier if listing else 1
            book.add_order(group, side, quantity, value * multiplier)
        if book.account.day < view.day:
            self._roll(book, view)
        return book

    def _roll(self, book: AccountBook, view: MarketView) -> None:
        def settlement_price(key: GroupKey) -> Decimal | None:
            listing = view.listing(key.exchange, key.symbol)
            settled_at = view.settles_at(listing) if listing else None
            if listing is None or settled_at is None or settled_at > view.at:
                return None
            return final_price(listing, self._market, settled_at)

        roll_day(book, view.day, settlement_price)


def day_session(sessions: SessionClock, exchange: Exchange, day: date) -> tuple[datetime, datetime] | None:
    try:
        session = sessions.phase(exchange, ist(day, time(12))).session
    except SessionTableExhaustedError:
        return None
    return None if session is None else (session.opens_at, session.closes_at)


def _recorded(outcome: Outcome) -> Outcome:
    """What the record is told. Of an order that was placed at a door, and for which a change was asked for in the record, only that the
    change was carried out or refused: what the order is now comes with the reading of the venue's books, its fills included, once.
    """
    order, update = outcome.order, outcome.update
    if order.origin is Origin.VYOMO:
        return outcome
    answered = OrderUpdate(
        state=order.state,
        at=update.at,
        reason_code=update.reason_code,
        reason=update.reason,
        clears_pending_action=True,
    )
    return Outcome(order, answered)


def _last_price(view: MarketView, exchange: Exchange, symbol: str) -> Decimal:
    """What the row is written with; 0 where the instrument has no price any more."""
    mark = view.mark(exchange, symbol)
    return mark.last_price if mark else ZERO
