"""Between a ledger transaction and a round of the exchange: load what the round needs, and write what it decided."""

from collections.abc import Iterable
from decimal import Decimal

from vyomo_contracts.lifecycle import Illegal, Stale
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange
from vyomo_ledger.writing import LedgerTransaction, Step
from vyomo_paper_exchange.adapters.catalogue import Listings
from vyomo_paper_exchange.adapters.store import AccountRows, VenueStore
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey
from vyomo_paper_exchange.domain.execution import Round
from vyomo_paper_exchange.domain.margins import MarginRates
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.positions import to_contract
from vyomo_paper_exchange.domain.rolling import final_price, roll_day
from vyomo_paper_exchange.domain.sessions import SessionClock
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.domain.view import MarketView
from vyomo_service_kit.clock import Clock


class RecordDisagreesError(Exception):
    """The record refused what the exchange decided about a locked order: a bug, so nothing of the round is kept."""

    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"the record refuses the outcome of {order_id}: {why}")


class Rounds:
    def __init__(
        self,
        *,
        store: VenueStore,
        listings: Listings,
        market: SeededMarket,
        sessions: SessionClock,
        rates: MarginRates,
        clock: Clock,
    ) -> None:
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
        steps = [
            Step(order=outcome.order, update=outcome.update, fills=outcome.fills)
            for outcome in round_.outcomes
        ]
        for outcome, result in zip(round_.outcomes, transaction.step(steps), strict=True):
            if isinstance(result, Illegal | Stale):
                raise RecordDisagreesError(outcome.order.order_id, result.why)
        view = round_.view
        for book in round_.books.values():
            account = book.account
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


def _last_price(view: MarketView, exchange: Exchange, symbol: str) -> Decimal:
    """What the row is written with; 0 where the instrument has no price any more."""
    mark = view.mark(exchange, symbol)
    return mark.last_price if mark else ZERO
