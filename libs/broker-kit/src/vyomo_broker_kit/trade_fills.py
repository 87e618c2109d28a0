"""From what a broker's books say to the fills of an order. Pure.

The order book tells how much is filled, the trade book by which trades. What no trade explains yet is a derived fill, an inference
with an id that is the same after a restart; it is replaced when the trades arrive. At every moment the fills of an order add up to
its filled quantity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from vyomo_broker_kit.port import TradeEntry
from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.orders import Fill, Order

DERIVED: Final = "derived"
FROM_TRADES: Final = "trade_book"


@dataclass(frozen=True, slots=True)
class FillChange:
    added: tuple[Fill, ...] = ()
    superseded: tuple[str, ...] = ()
    """Trade ids of derived fills that are replaced by `added`."""

    def __bool__(self) -> bool:
        return bool(self.added or self.superseded)


def trade_id_of(trade: TradeEntry) -> str:
    """An exchange's trade numbers start again each day; together with the broker's order id they never do."""
    return f"{trade.broker_order_id}-{trade.trade_id}"


def traded(known: Sequence[Fill], trades: Sequence[TradeEntry]) -> tuple[int, Decimal]:
    """Quantity and value of all trades of an order: those recorded and those read now."""
    quantities = {fill.trade_id: (fill.quantity, fill.price) for fill in known if fill.basis == FROM_TRADES}
    for trade in trades:
        quantities.setdefault(trade_id_of(trade), (trade.quantity, to_price(trade.price)))
    quantity = sum(each for each, _ in quantities.values())
    return quantity, sum((each * price for each, price in quantities.values()), ZERO)


def fill_change(
    order: Order, known: Sequence[Fill], trades: Sequence[TradeEntry], at: datetime
) -> FillChange:
    """What makes the fills of `order` (as it is after this reading) true: `known` are those recorded, `trades` those read now."""
    recorded = {fill.trade_id for fill in known}
    derived = [fill for fill in known if fill.basis == DERIVED]
    new = {
        trade_id_of(trade): _fill(
            order, trade_id_of(trade), trade.quantity, trade.price, at=trade.traded_at, basis=FROM_TRADES
        )
        for trade in trades
        if trade_id_of(trade) not in recorded
    }
    quantity, value = traded(known, trades)
    if quantity > order.filled_quantity:
        return (
            FillChange()
        )  # more trades than the order can hold: the caller says so, nothing is added up wrongly
    superseded = tuple(fill.trade_id for fill in derived) if new else ()
    if not superseded:
        quantity += sum(fill.quantity for fill in derived)
        value += sum((fill.price * fill.quantity for fill in derived), ZERO)
    added = list(new.values())
    missing = order.filled_quantity - quantity
    if missing > 0:
        # The id names what is known and what is reached: neither ever goes down, so it is never used twice for different fills.
        trades_known = sum(fill.quantity for fill in [*known, *new.values()] if fill.basis == FROM_TRADES)
        price = max(order.filled_value - value, ZERO) / missing
        trade_id = f"{order.order_id}-d{trades_known}-{order.filled_quantity}"
        added.append(_fill(order, trade_id, missing, price, at=at, basis=DERIVED))
    return FillChange(tuple(added), superseded)


def _fill(order: Order, trade_id: str, quantity: int, price: Decimal, *, at: datetime, basis: str) -> Fill:
    return Fill(
        trade_id=trade_id,
        order_id=order.order_id,
        account_id=order.account_id,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        transaction_type=order.transaction_type,
        quantity=quantity,
        price=to_price(price),
        filled_at=at,
        basis=basis,
    )
