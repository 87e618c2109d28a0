"""The end of a trading day: deliveries become holdings, expired contracts settle in cash, the rest is carried (market.md §7, §8)."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import InstrumentKind, OptionType, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey, HoldingState
from vyomo_paper_exchange.domain.market.market import Listing, SeededMarket
from vyomo_paper_exchange.domain.positions import (
    Lot,
    PositionState,
    add_lot,
    apply_fill,
    carried_over,
    take_lots,
)

SettlementPrice = Callable[[GroupKey], Decimal | None]
"""The final price of a contract that was settled; None for anything that lives on."""


def roll_day(book: AccountBook, today: date, settlement_price: SettlementPrice) -> None:
    """Begin `today` for an account whose positions are of an earlier day. Everything loaded is marked changed."""
    for key, position in list(book.positions.items()):
        final, rolled = settlement_price(key), carried_over(position)
        if key.product is Product.CNC:
            _deliver(book, key, position)
            rolled = None
        elif final is not None and rolled is not None:
            rolled = _settled(rolled, final)
            book.realise(rolled.realised)
        book.positions[key] = rolled or _cleared(position)
        book.changed.add(key)
    book.account = book.account._replace(day=today)


def final_price(listing: Listing, market: SeededMarket, settled_at: datetime) -> Decimal:
    """Settlement of an expired contract: intrinsic value of an option, the underlying's price for a future."""
    instrument = listing.instrument
    spot = market.snapshot(Listing(listing.root, listing.root), settled_at).last_price
    if instrument.kind is not InstrumentKind.OPTION or instrument.strike is None:
        return spot
    is_call = instrument.option_type is OptionType.CE
    return max(spot - instrument.strike if is_call else instrument.strike - spot, ZERO)


def _deliver(book: AccountBook, key: GroupKey, position: PositionState) -> None:
    if position.quantity == 0:
        return
    place = (key.exchange, key.symbol)
    held = book.holdings.get(place) or HoldingState(
        exchange=key.exchange, symbol=key.symbol, quantity=0, lots=()
    )
    if position.quantity > 0:
        lots = held.lots
        for lot in position.lots:
            lots = add_lot(lots, lot)
    else:
        lots, _, cost = take_lots(held.lots, position.quantity)
        book.realise(position.open_value - cost)
    quantity = sum(lot.quantity for lot in lots)
    book.holdings[place] = held._replace(quantity=quantity, lots=lots, version=held.version + 1)
    book.changed_holdings.add(place)


def _settled(carried: PositionState, final: Decimal) -> PositionState:
    """Closed at the final price, and seen so on the day that follows: whoever looks at it or mirrors it knows what it brought."""
    side = TransactionType.SELL if carried.quantity > 0 else TransactionType.BUY
    return apply_fill(carried, side, abs(carried.quantity), final)


def _cleared(position: PositionState) -> PositionState:
    """Nothing open and nothing traded yet today; the row stays, so that its version goes on."""
    no_lots: tuple[Lot, ...] = ()
    return position._replace(
        quantity=0,
        overnight_quantity=0,
        overnight_value=ZERO,
        buy_quantity=0,
        buy_value=ZERO,
        sell_quantity=0,
        sell_value=ZERO,
        realised=ZERO,
        lots=no_lots,
        version=position.version + 1,
    )
