"""What was traded between two snapshots of a position.

Within a day the difference of their buy and sell sums says it exactly, however many snapshots between were missed. When a day rolls
the sums start anew, at what the position carried over. What the exchange took out of the position without a trade must not look
like one: delivered shares (CNC) are still owned and only moved to the holdings. So a delivery position is followed as what it was
bought and sold, never as its quantity alone, and never as a short: who sells more than was followed sells older holdings.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Final

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import Product, TransactionType
from vyomo_sync.domain.trades import PriceBasis, Trade, Turnover, Volume

_INDIA: Final = timezone(timedelta(hours=5, minutes=30), "IST")
_BROKERS_NEW_DAY: Final = time(9)
"""By then every broker has begun its new day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far one position has been followed in one session. Kept while flat: a late snapshot must not re-open a trade."""

    version: int
    at: datetime
    """When the snapshot was taken: its figures are those of this day in India."""
    quantity: int
    """The position's own, as the snapshot says."""
    delivered: int
    """Shares of the open trade that became holdings when the position's day rolled."""
    turnover: Turnover
    round_trips: int
    trade: Trade | None
    """The open one."""

    @property
    def open_quantity(self) -> int:
        return self.trade.signed_quantity if self.trade else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What happened since the last followed snapshot."""

    traded: Turnover
    basis: PriceBasis
    open_quantity: int
    """What the open trade has now, signed."""
    delivered: int


def owned(position: Position, delivered: int) -> int:
    """What the session has of it, signed."""
    if position.product is Product.CNC:
        return max(0, delivered + position.quantity)
    return position.quantity


def progress(known: Followed, position: Position) -> Progress:
    has_rolled = _has_rolled(known, position)
    # Shares of the trade that are neither in the new day's figures nor sold were delivered.
    is_delivery = has_rolled and position.product is Product.CNC
    delivered = max(0, known.open_quantity - position.overnight_quantity) if is_delivery else known.delivered
    open_quantity = owned(position, delivered)
    traded = _traded_today(known, position) if has_rolled else None
    if traded is None and not is_delivery:
        traded = _explained(Turnover.of(position) - known.turnover, change=position.quantity - known.quantity)
    change = open_quantity - known.open_quantity
    basis = PriceBasis.TRADED
    if traded is not None:
        traded = _without_older_holdings(traded, change)
    elif change:
        price, basis = _best_guess(known, position)
        traded = at_price(position, change, price)
    return Progress(
        traded=traded or Turnover(), basis=basis, open_quantity=open_quantity, delivered=delivered
    )


def at_price(position: Position, quantity: int, price: Decimal) -> Turnover:
    volume = Volume(abs(quantity), abs(quantity) * price * position.multiplier)
    return Turnover(bought=volume) if quantity > 0 else Turnover(sold=volume)


def _has_rolled(known: Followed, position: Position) -> bool:
    """Whether the figures are of a later day than the known ones."""
    figures, at = Turnover.of(position), position.updated_at.astimezone(_INDIA)
    if figures == known.turnover and at.time() < _BROKERS_NEW_DAY:
        # A broker read at night: still the figures of the day before.
        return False
    if at.date() > known.at.astimezone(_INDIA).date():
        return True
    # Sums of a day only grow, and a closed position keeps them: none at all is a new day whatever the clock says.
    return figures == Turnover() != known.turnover


def _traded_today(known: Followed, position: Position) -> Turnover | None:
    """The new day's own trades: its sums without what it began with. None when it did not begin with what is known."""
    carried = position.overnight_quantity
    if position.product is not Product.CNC and carried != known.quantity:
        return None
    figures = Turnover.of(position)
    begun = (
        Turnover(bought=_cost(known.trade, TransactionType.BUY, figures.bought, carried))
        if carried > 0
        else Turnover(sold=_cost(known.trade, TransactionType.SELL, figures.sold, -carried))
    )
    return _explained(figures - begun, change=position.quantity - carried)


def _cost(trade: Trade | None, side: TransactionType, figures: Volume, quantity: int) -> Volume:
    """What the carried units cost, as the trade knows it; the same as in the day's sums unless lots of several prices were left."""
    if quantity == figures.quantity:
        return figures
    return (trade.entry if trade and trade.side is side else figures).part(quantity)


def _explained(traded: Turnover, *, change: int) -> Turnover | None:
    is_sound = traded.net_quantity == change and traded.bought.is_sound and traded.sold.is_sound
    return traded if is_sound else None


def _without_older_holdings(traded: Turnover, change: int) -> Turnover:
    """Leave out what was sold of holdings older than the session, and what was bought back of them on the same day."""
    older = change - traded.net_quantity
    if not older:
        return traded
    if older > 0:
        return Turnover(bought=traded.bought, sold=traded.sold.part(traded.sold.quantity - older))
    return Turnover(bought=traded.bought.part(traded.bought.quantity + older), sold=traded.sold)


def _best_guess(known: Followed, position: Position) -> tuple[Decimal, PriceBasis]:
    """The price of a change that no trade explains: a contract that vanished at its expiry, a broker's correction."""
    if position.last_price:
        return position.last_price, PriceBasis.LAST_PRICE
    # Without any price the least wrong is what was paid: it invents no profit.
    cost = position.average_price or (known.trade.entry_price if known.trade else Decimal(0))
    return cost, PriceBasis.COST
