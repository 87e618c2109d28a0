"""What an account sees at a door: its orders, trades, positions, holdings and money. Only read; nothing is locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import Product, TransactionType
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.positions import PositionState
from vyomo_paper_exchange.domain.times import day_start, trading_day
from vyomo_paper_exchange.doors import record
from vyomo_paper_exchange.doors.natives import NativeOrders
from vyomo_paper_exchange.doors.orders import Cause, DoorAccount, DoorOrder, StepRow, steps_of
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database


@dataclass(frozen=True, slots=True)
class DayPosition:
    state: PositionState
    listing: Listing | None
    """None for what is no longer listed."""
    last_price: Decimal
    previous_close: Decimal


@dataclass(frozen=True, slots=True)
class HeldShares:
    exchange: str
    symbol: str
    listing: Listing | None
    quantity: int
    """As the day began with them; sales of today are in `sold_today`."""
    sold_today: int
    average_price: Decimal
    last_price: Decimal
    previous_close: Decimal


@dataclass(frozen=True, slots=True)
class Money:
    """`balance` and `available` are None where the capital is unlimited."""

    balance: Decimal | None
    used: Decimal
    available: Decimal | None
    opening_balance: Decimal | None
    unrealised: Decimal
    realised_today: Decimal


class Books:
    def __init__(self, database: Database, rounds: Rounds, natives: NativeOrders, clock: Clock) -> None:
        self._database = database
        self._rounds = rounds
        self._natives = natives
        self._clock = clock

    async def orders(self, account: DoorAccount) -> list[DoorOrder]:
        """Today's orders, oldest first; of a paper account also those placed through Vyomo."""
        async with self._database.connection() as connection:
            orders = await record.read_book(connection, account.account_id, self._today())
        if not account.is_linked:
            return orders
        natives = await self._natives.book(account.account_id, self._today())
        return sorted([*orders, *natives], key=lambda order: order.filing.placed_at) if natives else orders

    async def order(self, account: DoorAccount, order_id: str) -> DoorOrder | None:
        if not order_id.isdigit():
            return await self._natives.one(account.account_id, order_id) if account.is_linked else None
        async with self._database.connection() as connection:
            return await record.read_order(connection, account.account_id, order_id)

    async def history(self, order: DoorOrder) -> Sequence[StepRow]:
        if not order.working.came_by_door:
            # The record keeps its own history; what a broker would have shown of it is made up from how it stands.
            return steps_of(None, order.working, Cause.PLACED)
        async with self._database.connection() as connection:
            return await record.read_history(connection, order.filing.order_id)

    async def trades(self, account: DoorAccount, order_id: str | None = None) -> list[Fill]:
        """Today's, or one order's, oldest first; those of orders placed through Vyomo included."""
        async with self._database.connection() as connection:
            return await record.read_trades(connection, account.account_id, self._today(), order_id)

    async def positions(self, account: DoorAccount) -> list[DayPosition]:
        """Of the day, flat ones included."""
        book, view = await self._rounds.look(account.account_id)
        positions: list[DayPosition] = []
        for key, state in sorted(book.positions.items()):
            mark = view.mark(key.exchange, key.symbol)
            positions.append(
                DayPosition(
                    state=state,
                    listing=mark.listing if mark else None,
                    last_price=mark.last_price if mark else ZERO,
                    previous_close=mark.listing.instrument.reference_price if mark else ZERO,
                )
            )
        return positions

    async def holdings(self, account: DoorAccount) -> list[HeldShares]:
        book, view = await self._rounds.look(account.account_id)
        held: list[HeldShares] = []
        for (exchange, symbol), holding in sorted(book.holdings.items()):
            mark = view.mark(exchange, symbol)
            position = book.position(GroupKey(exchange, symbol, Product.CNC))
            held.append(
                HeldShares(
                    exchange=exchange,
                    symbol=symbol,
                    listing=mark.listing if mark else None,
                    quantity=holding.quantity,
                    sold_today=min(max(-position.quantity, 0), holding.quantity),
                    average_price=holding.average_price,
                    last_price=mark.last_price if mark else ZERO,
                    previous_close=mark.listing.instrument.reference_price if mark else ZERO,
                )
            )
        return [each for each in held if each.quantity]

    async def money(self, account: DoorAccount) -> Money:
        book, view = await self._rounds.look(account.account_id)
        realised = sum((each.realised for each in book.positions.values()), ZERO)
        unrealised = ZERO
        for key, position in book.positions.items():
            mark = view.mark(key.exchange, key.symbol)
            if mark is not None and position.quantity:
                unrealised += position.unrealised(mark.last_price)
        balance = book.balance
        return Money(
            balance=balance,
            used=book.used,
            available=book.available,
            opening_balance=None if balance is None else balance - realised,
            unrealised=unrealised,
            realised_today=realised,
        )

    async def margin_of(
        self, account: DoorAccount, key: GroupKey, side: TransactionType, quantity: int, price: Decimal
    ) -> Decimal:
        """What one more order would block, whatever the account holds; `price` zero is the last price.

        Raises:
            LookupError: the instrument is not listed.
        """
        book, _ = await self._rounds.look(account.account_id)
        view = await self._rounds.view([(key.exchange, key.symbol)])
        mark = view.mark(key.exchange, key.symbol)
        if mark is None:
            raise LookupError(f"{key.exchange}:{key.symbol} is not listed at the exchange")
        fresh = AccountBook(account=book.account, rates=book.rates, marks=view.mark, on=view.day)
        value = quantity * (price or mark.last_price) * mark.listing.instrument.multiplier
        fresh.add_order(key, side, quantity, value)
        return fresh.blocked(key)

    def _today(self) -> datetime:
        return day_start(trading_day(self._clock.now()))
