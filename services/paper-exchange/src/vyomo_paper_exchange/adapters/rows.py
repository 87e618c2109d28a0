"""Between domain objects and rows of the venue's tables."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity
from vyomo_paper_exchange.domain.accounts import HoldingState, VenueAccount
from vyomo_paper_exchange.domain.positions import Lot, Lots, PositionState
from vyomo_paper_exchange.domain.queueing import QueuePlace
from vyomo_paper_exchange.domain.working import WorkingOrder

Row = Mapping[str, Any]


def transposed(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """One array a column, as `unnest` takes them, also when there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def account_of(row: Row) -> VenueAccount:
    return VenueAccount(**dict(row))


def account_row(account: VenueAccount) -> tuple[Any, ...]:
    return (account.account_id, account.realised, account.version, account.day)


def position_of(row: Row) -> PositionState:
    return PositionState(
        exchange=Exchange(row["exchange"]),
        symbol=row["symbol"],
        product=Product(row["product"]),
        multiplier=row["multiplier"],
        quantity=int(row["quantity"]),
        overnight_quantity=row["overnight_quantity"],
        overnight_value=row["overnight_value"],
        buy_quantity=row["buy_quantity"],
        buy_value=row["buy_value"],
        sell_quantity=row["sell_quantity"],
        sell_value=row["sell_value"],
        realised=row["realised"],
        lots=lots_of(row["lots"]),
        version=row["version"],
    )


def position_row(account_id: int, position: PositionState) -> tuple[Any, ...]:
    return (
        account_id,
        position.exchange,
        position.symbol,
        position.product,
        position.multiplier,
        position.quantity,
        position.overnight_quantity,
        position.overnight_value,
        position.buy_quantity,
        position.buy_value,
        position.sell_quantity,
        position.sell_value,
        position.realised,
        lots_text(position.lots),
        position.version,
    )


def holding_of(row: Row) -> HoldingState:
    return HoldingState(
        exchange=Exchange(row["exchange"]),
        symbol=row["symbol"],
        quantity=int(row["quantity"]),
        lots=lots_of(row["lots"]),
        version=row["version"],
    )


def holding_row(account_id: int, holding: HoldingState) -> tuple[Any, ...]:
    return (
        account_id,
        holding.exchange,
        holding.symbol,
        holding.quantity,
        lots_text(holding.lots),
        holding.version,
    )


def working_order_of(row: Row) -> WorkingOrder:
    return WorkingOrder(
        order_id=row["order_id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        exchange=Exchange(row["exchange"]),
        symbol=row["symbol"],
        product=Product(row["product"]),
        transaction_type=TransactionType(row["transaction_type"]),
        order_type=OrderType(row["order_type"]),
        validity=Validity(row["validity"]),
        quantity=row["quantity"],
        price=row["price"],
        trigger_price=row["trigger_price"],
        protection_price=row["protection_price"],
        triggered_at=row["triggered_at"],
        state=OrderState(row["state"]),
        filled_quantity=row["filled_quantity"],
        filled_value=row["filled_value"],
        trades=row["trades"],
        place=QueuePlace(ahead=row["ahead"], displayed=row["displayed"]),
        reason=row["reason"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
    )


def working_order_row(order: WorkingOrder) -> tuple[Any, ...]:
    return (
        order.order_id,
        order.account_id,
        order.user_id,
        order.symbol,
        order.exchange,
        order.product,
        order.transaction_type,
        order.order_type,
        order.validity,
        order.quantity,
        order.price,
        order.trigger_price,
        order.protection_price,
        order.triggered_at,
        order.filled_quantity,
        order.filled_value,
        order.trades,
        order.state,
        order.reason,
        order.place.ahead,
        order.place.displayed,
        order.created_at,
        order.updated_at,
        order.expires_at,
        order.average_price,
    )


def trade_row(fill: Fill) -> tuple[Any, ...]:
    return (
        fill.trade_id,
        fill.order_id,
        fill.account_id,
        fill.exchange,
        fill.symbol,
        fill.product,
        fill.transaction_type,
        fill.quantity,
        fill.price,
        fill.basis,
        fill.filled_at,
    )


def lots_of(text: str) -> Lots:
    stored: Iterable[tuple[int, str]] = orjson.loads(text)
    return tuple(Lot(quantity, Decimal(value)) for quantity, value in stored)


def lots_text(lots: Lots) -> str:
    return orjson.dumps([(lot.quantity, f"{lot.value:f}") for lot in lots]).decode()
