"""What a newer snapshot of a position means for the trades that mirror it.

Snapshots may come late, twice and in any order; only one that is newer than the last followed changes anything, by what was traded
between the two (a round trip that begins and ends between two followed snapshots leaves no trade).
"""

from dataclasses import dataclass

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import TransactionType
from vyomo_sync.domain.snapshots import Followed, Progress, at_price, owned, progress
from vyomo_sync.domain.trades import PriceBasis, Trade, TradeStatus, Turnover


@dataclass(frozen=True, slots=True)
class Step:
    followed: Followed
    changed: tuple[Trade, ...]
    """Trades to write, a closed one before the one opened in its place."""


def follow(known: Followed | None, position: Position) -> Step | None:
    """The step that brings `known` up to `position`, or None when the snapshot is not newer."""
    if known is None:
        return _step(position, None, _begin(position))
    if position.version <= known.version:
        return None
    return _step(position, known, progress(known, position))


def _begin(position: Position) -> Progress:
    """What happened before the session followed the position is not its own: it starts at the position's average price."""
    quantity = owned(position, delivered=0)
    return Progress(
        traded=at_price(position, quantity, position.average_price),
        basis=PriceBasis.TRADED,
        open_quantity=quantity,
        delivered=0,
    )


def _step(position: Position, known: Followed | None, made: Progress) -> Step:
    trade = known.trade if known else None
    round_trips = known.round_trips if known else 0
    changed = _changed(trade, round_trips, position, made)
    last = changed[-1] if changed else trade
    return Step(
        followed=Followed(
            version=position.version,
            at=position.updated_at,
            quantity=position.quantity,
            delivered=made.delivered,
            turnover=Turnover.of(position),
            round_trips=last.number if last else round_trips,
            trade=last if last and last.status is TradeStatus.OPEN else None,
        ),
        changed=changed,
    )


def _changed(trade: Trade | None, round_trips: int, position: Position, made: Progress) -> tuple[Trade, ...]:
    if made.traded == Turnover():
        return ()
    if trade is None:
        return (_open(round_trips + 1, position, made, made.traded),) if made.open_quantity else ()
    if made.open_quantity * trade.side.sign < 0:
        return _turn(trade, position, made)
    entered, left = made.traded.on(trade.side), made.traded.against(trade.side)
    return (trade.traded(entered, left, position, made.basis),)


def _open(number: int, position: Position, made: Progress, traded: Turnover) -> Trade:
    side = TransactionType.BUY if made.open_quantity > 0 else TransactionType.SELL
    return Trade(
        number=number,
        side=side,
        multiplier=position.multiplier,
        entry=traded.on(side),
        exit=traded.against(side),
        status=TradeStatus.OPEN,
        price_basis=made.basis,
        position_version=position.version,
        opened_at=position.updated_at,
    )


def _turn(trade: Trade, position: Position, made: Progress) -> tuple[Trade, Trade]:
    """Long became short or short long: what is needed to close the old trade closes it, the rest opens a new one."""
    entered, opposite = made.traded.on(trade.side), made.traded.against(trade.side)
    closing = opposite.part(trade.quantity + entered.quantity)
    rest = opposite - closing
    opened = Turnover(sold=rest) if trade.side is TransactionType.BUY else Turnover(bought=rest)
    return (
        trade.traded(entered, closing, position, made.basis),
        _open(trade.number + 1, position, made, opened),
    )
