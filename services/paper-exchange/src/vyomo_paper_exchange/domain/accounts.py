"""One account's money and things inside one transaction: what it has, what that blocks, what is left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.portfolio import Funds, Holding
from vyomo_contracts.vocabulary import Broker, Exchange, InstrumentKind, Product, TransactionType
from vyomo_paper_exchange.domain.margins import (
    NO_ORDERS,
    Exposure,
    MarginRates,
    OpenOrders,
    group_requirement,
)
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.positions import Lots, PositionState, apply_fill

_NOTHING: Final = (ZERO, ZERO)


class GroupKey(NamedTuple):
    """Positions, orders and margins are kept per instrument and product."""

    exchange: Exchange
    symbol: str
    product: Product


class VenueAccount(NamedTuple):
    """An account at the venue. `capital` None is unlimited: nothing is ever refused for money."""

    account_id: int
    user_id: str
    capital: Decimal | None
    day: date
    """The trading day its positions belong to."""
    realised: Decimal = ZERO
    """Profit of everything ever closed."""
    version: int = 0
    is_sandbox: bool = False
    """Known to the record as an account at another broker, whose worker comes by the doors: nothing of it is written there by us."""


class HoldingState(NamedTuple):
    exchange: Exchange
    symbol: str
    quantity: int
    lots: Lots
    version: int = 0

    @property
    def cost(self) -> Decimal:
        return sum((lot.value for lot in self.lots), ZERO)

    @property
    def average_price(self) -> Decimal:
        return to_price(self.cost / self.quantity) if self.quantity else ZERO

    def to_contract(self, account_id: int, last_price: Decimal, at: datetime) -> Holding:
        return Holding(
            account_id=account_id,
            exchange=self.exchange,
            symbol=self.symbol,
            quantity=self.quantity,
            average_price=self.average_price,
            last_price=last_price,
            version=self.version,
            updated_at=at,
        )


class Mark(NamedTuple):
    """What an instrument is worth now; `spot` is its underlying's price, or its own."""

    listing: Listing
    last_price: Decimal
    spot: Decimal


Marks = Callable[[Exchange, str], Mark | None]
"""Values an instrument; None for one that is no longer listed."""


@dataclass(slots=True)
class AccountBook:
    """Mutable and short-lived: loaded in a transaction, changed by it, saved or thrown away with it."""

    account: VenueAccount
    rates: MarginRates
    marks: Marks
    on: date
    positions: dict[GroupKey, PositionState] = field(default_factory=dict[GroupKey, PositionState])
    holdings: dict[tuple[Exchange, str], HoldingState] = field(
        default_factory=dict[tuple[Exchange, str], HoldingState]
    )
    orders: dict[GroupKey, OpenOrders] = field(default_factory=dict[GroupKey, OpenOrders])
    changed: set[GroupKey] = field(default_factory=set[GroupKey])
    """Positions that must be saved."""
    changed_holdings: set[tuple[Exchange, str]] = field(default_factory=set[tuple[Exchange, str]])
    _blocked: dict[GroupKey, tuple[Decimal, Decimal]] = field(
        default_factory=dict[GroupKey, tuple[Decimal, Decimal]]
    )
    _margins: Decimal = ZERO
    _unrealised: Decimal = ZERO
    _stale: set[GroupKey] | None = None
    """Groups to value again before the sums hold; None while nothing was valued yet."""

    def position(self, key: GroupKey, multiplier: int = 1) -> PositionState:
        known = self.positions.get(key)
        return known or PositionState(
            exchange=key.exchange, symbol=key.symbol, product=key.product, multiplier=multiplier
        )

    def open_orders(self, key: GroupKey) -> OpenOrders:
        return self.orders.get(key, NO_ORDERS)

    def add_order(self, key: GroupKey, side: TransactionType, quantity: int, value: Decimal) -> None:
        """Count a working order's remainder; negative amounts take it back."""
        self.orders[key] = self.open_orders(key).plus(side, quantity, value)
        self._touch(key)

    def fill(
        self, key: GroupKey, multiplier: int, side: TransactionType, quantity: int, price: Decimal
    ) -> None:
        before = self.position(key, multiplier)
        after = apply_fill(before, side, quantity, price)
        self.positions[key] = after
        self.realise(after.realised - before.realised)
        self.changed.add(key)
        self._touch(key)

    def put_position(self, key: GroupKey, position: PositionState) -> None:
        """Replace a position as a whole; its money is valued anew."""
        self.positions[key] = position
        self.changed.add(key)
        self._touch(key)

    def realise(self, profit: Decimal) -> None:
        if profit:
            self.account = self.account._replace(realised=self.account.realised + profit)

    def sellable(self, exchange: Exchange, symbol: str) -> int:
        """Delivery units that may still be sold: holdings and today's net buys, less what open sell orders want."""
        key = GroupKey(exchange, symbol, Product.CNC)
        held = self.holdings.get((exchange, symbol))
        return (
            (held.quantity if held else 0) + self.position(key).quantity - self.open_orders(key).sell_quantity
        )

    def required(self, key: GroupKey, orders: OpenOrders | None = None) -> Decimal:
        """Margin of one instrument and product, with other open orders than the present ones if given."""
        mark = self.marks(key.exchange, key.symbol)
        position = self.position(key)
        if mark is None:
            # No longer listed: nothing can be valued or traded, so what was paid stays blocked until it is settled.
            return position.open_value
        exposure = Exposure(mark.listing, key.product, mark.spot, self.on)
        return group_requirement(self.rates, exposure, position, orders or self.open_orders(key))

    def blocked(self, key: GroupKey) -> Decimal:
        """Margin one instrument and product block now."""
        self._value_again()
        return self._blocked.get(key, _NOTHING)[0]

    @property
    def used(self) -> Decimal:
        """Margins, the cost of holdings and net unrealised losses (architecture ruling 9)."""
        self._value_again()
        return to_price(self._margins + self._held() + max(-self._unrealised, ZERO))

    @property
    def balance(self) -> Decimal | None:
        capital = self.account.capital
        return None if capital is None else to_price(capital + self.account.realised)

    @property
    def available(self) -> Decimal | None:
        balance = self.balance
        return None if balance is None else balance - self.used

    def begin_version(self) -> None:
        """Every round raises the version: who waits for the account tells by it that it has changed meanwhile."""
        self.account = self.account._replace(version=self.account.version + 1)

    def funds(self, at: datetime) -> Funds:
        balance, used = self.balance, self.used
        self.begin_version()
        return Funds(
            account_id=self.account.account_id,
            user_id=self.account.user_id,
            broker=Broker.PAPER,
            balance=balance,
            used=used,
            available=None if balance is None else balance - used,
            version=self.account.version,
            updated_at=at,
        )

    def _touch(self, key: GroupKey) -> None:
        if self._stale is not None:
            self._stale.add(key)

    def _value_again(self) -> None:
        """Bring the sums up to date: only what changed is valued, so an order costs the same in a large account."""
        stale = self._open_groups() if self._stale is None else self._stale
        for key in stale:
            before, now = self._blocked.get(key, _NOTHING), self._valued(key)
            if now != before:
                self._blocked[key] = now
                self._margins += now[0] - before[0]
                self._unrealised += now[1] - before[1]
        self._stale = set()

    def _open_groups(self) -> set[GroupKey]:
        """What can block anything: many positions of a busy day are flat again."""
        return {key for key, position in self.positions.items() if position.quantity} | self.orders.keys()

    def _valued(self, key: GroupKey) -> tuple[Decimal, Decimal]:
        position = self.positions.get(key)
        is_flat = position is None or position.quantity == 0
        if is_flat and self.orders.get(key, NO_ORDERS) == NO_ORDERS:
            return _NOTHING
        return self.required(key), ZERO if is_flat else self._margined_profit(key)

    def _margined_profit(self, key: GroupKey) -> Decimal:
        """Unrealised profit of an open position held on margin; what is paid in full can lose no more than is blocked already."""
        position = self.positions[key]
        mark = self.marks(key.exchange, key.symbol)
        if mark is None or key.product is Product.CNC:
            return ZERO
        if mark.listing.instrument.kind is InstrumentKind.OPTION and position.quantity > 0:
            return ZERO
        return position.unrealised(mark.last_price)

    def _held(self) -> Decimal:
        """Cost of the holdings that were not sold today. A sale below cost blocks its loss until the day settles it."""
        total = ZERO
        for (exchange, symbol), holding in self.holdings.items():
            position = self.position(GroupKey(exchange, symbol, Product.CNC))
            sold = min(max(-position.quantity, 0), holding.quantity)
            cost = holding.cost
            sold_cost = cost * sold / holding.quantity if sold else ZERO
            loss = max(sold_cost - position.open_value, ZERO) if sold else ZERO
            total += cost - sold_cost + loss
        return total
