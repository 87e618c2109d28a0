"""One round trip of a position: from the fill that opened it to the fill that made it flat or turned it."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from vyomo_contracts.money import PRICE_QUANTUM, ZERO, to_price
from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import TransactionType


class TradeStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class PriceBasis(StrEnum):
    """What a trade's prices rest on: the weakest of its parts."""

    TRADED = "TRADED"
    LAST_PRICE = "LAST_PRICE"
    """A change that no trade explains, valued at the position's last price."""
    COST = "COST"
    """As LAST_PRICE, but there was no last price either: valued at cost, so that no profit is invented."""


@dataclass(frozen=True, slots=True)
class Volume:
    """Units that changed hands and their value: quantity x price x multiplier."""

    quantity: int = 0
    value: Decimal = ZERO

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(self.quantity + other.quantity, self.value + other.value)

    def __sub__(self, other: "Volume") -> "Volume":
        return Volume(self.quantity - other.quantity, self.value - other.value)

    @property
    def is_sound(self) -> bool:
        return not self.quantity or (self.quantity > 0 and self.value > 0)

    def part(self, quantity: int) -> "Volume":
        """The share of `quantity` of these units, at their average price."""
        if not self.quantity:
            return Volume()
        return Volume(quantity, (self.value * quantity / self.quantity).quantize(PRICE_QUANTUM))


@dataclass(frozen=True, slots=True)
class Turnover:
    """All that was bought and sold in a position; a position's own figures grow until its day rolls."""

    bought: Volume = Volume()
    sold: Volume = Volume()

    @classmethod
    def of(cls, position: Position) -> Self:
        return cls(
            bought=Volume(position.buy_quantity, position.buy_value),
            sold=Volume(position.sell_quantity, position.sell_value),
        )

    def __sub__(self, other: "Turnover") -> "Turnover":
        return Turnover(self.bought - other.bought, self.sold - other.sold)

    @property
    def net_quantity(self) -> int:
        return self.bought.quantity - self.sold.quantity

    def on(self, side: TransactionType) -> Volume:
        return self.bought if side is TransactionType.BUY else self.sold

    def against(self, side: TransactionType) -> Volume:
        return self.sold if side is TransactionType.BUY else self.bought


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    number: int
    """1, 2, 3... of this position within its session."""
    side: TransactionType
    """BUY while the position is long, SELL while it is short."""
    multiplier: int
    entry: Volume
    exit: Volume
    status: TradeStatus
    price_basis: PriceBasis
    position_version: int
    """Version of the position that changed this trade last."""
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def quantity(self) -> int:
        """Units still open."""
        return self.entry.quantity - self.exit.quantity

    @property
    def signed_quantity(self) -> int:
        return self.side.sign * self.quantity

    @property
    def entry_price(self) -> Decimal:
        return self._price(self.entry)

    @property
    def exit_price(self) -> Decimal | None:
        """Average price of what was closed so far."""
        return self._price(self.exit) if self.exit.quantity else None

    @property
    def realised(self) -> Decimal:
        """Gross profit of the closed part, at the average entry price."""
        return self.side.sign * (self.exit.value - self.entry.part(self.exit.quantity).value)

    def traded(self, entry: Volume, exit: Volume, position: Position, basis: PriceBasis) -> "Trade":  # noqa: A002
        """The trade after more of it was entered and left; closed when nothing is left of it."""
        entered, left = self.entry + entry, self.exit + exit
        is_closed = entered.quantity == left.quantity
        return replace(
            self,
            entry=entered,
            exit=left,
            status=TradeStatus.CLOSED if is_closed else TradeStatus.OPEN,
            closed_at=position.updated_at if is_closed else None,
            price_basis=self.price_basis if basis is PriceBasis.TRADED else basis,
            position_version=position.version,
        )

    def _price(self, volume: Volume) -> Decimal:
        return to_price(volume.value / (volume.quantity * self.multiplier))
