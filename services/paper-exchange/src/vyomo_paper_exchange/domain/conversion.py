"""Turning a position of one product into another: intraday shares kept for delivery, and back. Costs move with the units."""

from decimal import Decimal
from typing import Final, NamedTuple

from vyomo_contracts.money import ZERO
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey
from vyomo_paper_exchange.domain.positions import Lot, PositionState, add_lot, take_lots
from vyomo_paper_exchange.domain.refusals import Refusal

_PRODUCTS: Final = {
    True: frozenset({Product.CNC, Product.MIS}),
    False: frozenset({Product.NRML, Product.MIS}),
}


class Conversion(NamedTuple):
    exchange: Exchange
    symbol: str
    side: TransactionType
    """BUY for units that were bought."""
    quantity: int
    old: Product
    new: Product
    is_overnight: bool = False
    """Units that the day began with."""


def convert(book: AccountBook, wanted: Conversion) -> Refusal | None:
    """Change the account's positions, or say why not; a refusal leaves them as they were."""
    source = GroupKey(wanted.exchange, wanted.symbol, wanted.old)
    target = source._replace(product=wanted.new)
    before = (book.position(source), book.position(target, book.position(source).multiplier))
    refusal = _check(before[0], before[1], wanted)
    if refusal is not None:
        return refusal
    available = book.available
    taken, lot = _taken(before[0], wanted)
    book.put_position(source, taken)
    book.put_position(target, _given(before[1], wanted, lot))
    after = book.available
    if available is not None and after is not None and after < min(available, ZERO):
        for key, position in zip((source, target), before, strict=True):
            book.put_position(key, position)
        return Refusal(
            ReasonCode.MARGIN_INSUFFICIENT,
            f"the conversion needs {available - after:.2f} more of margin; {max(available, ZERO):.2f} is available",
        )
    return None


def _check(position: PositionState, target: PositionState, wanted: Conversion) -> Refusal | None:
    allowed = _PRODUCTS[wanted.exchange.is_cash]
    if wanted.old is wanted.new or not {wanted.old, wanted.new} <= allowed:
        names = " and ".join(sorted(allowed))
        return Refusal(
            ReasonCode.PRODUCT_NOT_ALLOWED, f"on {wanted.exchange} positions convert between {names}"
        )
    if wanted.side is TransactionType.SELL and wanted.new is Product.CNC:
        return Refusal(ReasonCode.PRODUCT_NOT_ALLOWED, "what was sold short cannot be delivered")
    if target.quantity * wanted.side.sign < 0:
        return Refusal(
            ReasonCode.PRODUCT_NOT_ALLOWED, f"the {wanted.new} position is open the other way; close it first"
        )
    overnight = position.overnight_quantity * wanted.side.sign
    held = position.quantity * wanted.side.sign
    free = min(held, overnight) if wanted.is_overnight else held - max(overnight, 0)
    if wanted.quantity > max(free, 0):
        return Refusal(
            ReasonCode.HOLDINGS_INSUFFICIENT,
            f"{max(free, 0)} units of {wanted.symbol} are there to convert; {wanted.quantity} were asked for",
        )
    return None


def _taken(position: PositionState, wanted: Conversion) -> tuple[PositionState, Lot]:
    """The position without the units, and what leaves it: of the day's units the newest, of carried ones the oldest."""
    sign, quantity = wanted.side.sign, wanted.quantity
    lots = position.lots if wanted.is_overnight else position.lots[::-1]
    left, _, cost = take_lots(lots, -sign * quantity)
    carried = quantity if wanted.is_overnight else 0
    rest = position._replace(
        quantity=position.quantity - sign * quantity,
        overnight_quantity=position.overnight_quantity - sign * carried,
        overnight_value=position.overnight_value - (sign * cost if carried else ZERO),
        lots=left if wanted.is_overnight else left[::-1],
        version=position.version + 1,
    )
    return _with_trades(rest, wanted.side, -quantity, -cost), Lot(sign * quantity, cost)


def _given(position: PositionState, wanted: Conversion, lot: Lot) -> PositionState:
    carried = wanted.is_overnight
    more = position._replace(
        quantity=position.quantity + lot.quantity,
        overnight_quantity=position.overnight_quantity + (lot.quantity if carried else 0),
        overnight_value=position.overnight_value + (wanted.side.sign * lot.value if carried else ZERO),
        lots=add_lot(position.lots, lot),
        version=position.version + 1,
    )
    return _with_trades(more, wanted.side, wanted.quantity, lot.value)


def _with_trades(
    position: PositionState, side: TransactionType, quantity: int, value: Decimal
) -> PositionState:
    if side is TransactionType.BUY:
        return position._replace(
            buy_quantity=position.buy_quantity + quantity, buy_value=position.buy_value + value
        )
    return position._replace(
        sell_quantity=position.sell_quantity + quantity, sell_value=position.sell_value + value
    )
