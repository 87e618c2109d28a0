"""What a newer snapshot of a position means for the trades that mirror it.

Snapshots may come late, twice and in any order; only one that is newer than the last followed changes anything. Each says how
much was bought and sold so far, so the difference of two snapshots is what was traded between them, and the result does not
depend on how many in between were missed (a round trip that begins and ends between two followed snapshots leaves no trade).
"""

from dataclasses import dataclass
from decimal import Decimal

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import TransactionType
from vyomo_sync.domain.trades import Trade, TradeStatus, Turnover, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far one position has been followed in one session. Kept while flat: a late snapshot must not re-open a trade."""

    version: int
    turnover: Turnover
    round_trips: int
    trade: Trade | None
    """The open one."""

    @property
    def quantity(self) -> int:
        return self.trade.signed_quantity if self.trade else 0


@dataclass(frozen=True, slots=True)
class Step:
    followed: Followed
    changed: tuple[Trade, ...]
    """Trades to write, a closed one before the one opened in its place."""


def follow(known: Followed | None, position: Position) -> Step | None:
    """The step that brings `known` up to `position`, or None when the snapshot is not newer."""
    if known is None:
        return _begin(position)
    if position.version <= known.version:
        return None
    traded = _traded(known, position)
    if known.trade is None:
        changed = (
            (_open(position, known.round_trips + 1, traded),)
            if position.quantity and traded != Turnover()
            else ()
        )
    elif position.quantity * known.trade.side.sign >= 0:
        changed = (
            (known.trade.traded(traded.on(known.trade.side), traded.against(known.trade.side), position),)
            if traded != Turnover()
            else ()
        )
    else:
        changed = _turn(known.trade, position, traded)
    return _step(position, known, changed)


def _begin(position: Position) -> Step:
    """What happened before the session followed the position is not its own: it starts at the position's average price."""
    changed = (_open(position, 1, _at_price(position, position.quantity, position.average_price)),)
    return _step(position, None, changed if position.quantity else ())


def _traded(known: Followed, position: Position) -> Turnover:
    """What was bought and sold since the last followed snapshot."""
    change = position.quantity - known.quantity
    traded = Turnover.of(position) - known.turnover
    is_explained = traded.net_quantity == change and traded.bought.quantity >= 0 and traded.sold.quantity >= 0
    if is_explained:
        return traded
    # The day rolled (its figures start anew) or the broker corrected the position: only the difference is known, and the last
    # price is the best guess at what it cost.
    return _at_price(position, change, position.last_price or position.average_price)


def _at_price(position: Position, quantity: int, price: Decimal) -> Turnover:
    volume = Volume(abs(quantity), abs(quantity) * price * position.multiplier)
    return Turnover(bought=volume) if quantity > 0 else Turnover(sold=volume)


def _open(position: Position, number: int, traded: Turnover) -> Trade:
    side = TransactionType.BUY if position.quantity > 0 else TransactionType.SELL
    return Trade(
        number=number,
        side=side,
        multiplier=position.multiplier,
        entry=traded.on(side),
        exit=traded.against(side),
        status=TradeStatus.OPEN,
        position_version=position.version,
        opened_at=position.updated_at,
    )


def _turn(trade: Trade, position: Position, traded: Turnover) -> tuple[Trade, Trade]:
    """Long became short or short long: what is needed to close the old trade closes it, the rest opens a new one."""
    entered, opposite = traded.on(trade.side), traded.against(trade.side)
    closing = opposite.part(trade.quantity + entered.quantity)
    rest = opposite - closing
    opened = Turnover(sold=rest) if trade.side is TransactionType.BUY else Turnover(bought=rest)
    return trade.traded(entered, closing, position), _open(position, trade.number + 1, opened)


def _step(position: Position, known: Followed | None, changed: tuple[Trade, ...]) -> Step:
    still = known.trade if known else None
    last = changed[-1] if changed else still
    return Step(
        followed=Followed(
            version=position.version,
            turnover=Turnover.of(position),
            round_trips=last.number if last else (known.round_trips if known else 0),
            trade=last if last and last.status is TradeStatus.OPEN else None,
        ),
        changed=changed,
    )
