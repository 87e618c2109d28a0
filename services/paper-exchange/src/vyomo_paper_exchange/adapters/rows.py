"""Between domain objects and rows of the venue's tables."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity
from vyomo_paper_exchange.domain.accounts import GroupKey, HoldingState, VenueAccount
from vyomo_paper_exchange.domain.positions import Lot, Lots, PositionState
from vyomo_paper_exchange.domain.queueing import QueuePlace
from vyomo_paper_exchange.domain.working import WorkingOrder

Row = Mapping[str, Any]

# A look into a dictionary costs a tenth of asking the enumeration, and every position of every account in a round is read.
_EXCHANGES: Final = {each.value: each for each in Exchange}
_PRODUCTS: Final = {each.value: each for each in Product}


def transposed(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """One array a column, as `unnest` takes them, also when there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def document(rows: Sequence[Mapping[str, Any]]) -> str:
    """A JSON array, as `json_to_recordset` takes it. Decimals travel as text."""
    return orjson.dumps(rows, default=_as_text).decode() if rows else "[]"


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a row")


def account_of(row: Row) -> VenueAccount:
    return VenueAccount(
        account_id=row["account_id"],
        user_id=row["user_id"],
        capital=row["capital"],
        realised=row["realised"],
        version=row["version"],
        day=row["day"],
        is_sandbox=row["is_sandbox"],
    )


def position_of(row: Row) -> PositionState:
    return PositionState(
        exchange=_EXCHANGES[row["exchange"]],
        symbol=row["symbol"],
        product=_PRODUCTS[row["product"]],
        multiplier=row["multiplier"],
        quantity=row["quantity"],
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


def position_row(account_id: int, position: PositionState) -> dict[str, Any]:
    return position._asdict() | {"account_id": account_id, "lots": lots_row(position.lots)}


def holding_of(row: Row) -> HoldingState:
    return HoldingState(
        exchange=_EXCHANGES[row["exchange"]],
        symbol=row["symbol"],
        quantity=row["quantity"],
        lots=lots_of(row["lots"]),
        version=row["version"],
    )


def holding_row(account_id: int, holding: HoldingState) -> dict[str, Any]:
    return holding._asdict() | {"account_id": account_id, "lots": lots_row(holding.lots)}


def open_orders_of(row: Row) -> tuple[GroupKey, TransactionType, int, Decimal]:
    group = GroupKey(_EXCHANGES[row["exchange"]], row["symbol"], _PRODUCTS[row["product"]])
    return group, TransactionType(row["transaction_type"]), int(row["quantity"]), row["value"]


def working_order_of(row: Row) -> WorkingOrder:
    return WorkingOrder(
        order_id=row["order_id"],
        account_id=row["account_id"],
        user_id=row["user_id"],
        exchange=_EXCHANGES[row["exchange"]],
        symbol=row["symbol"],
        product=_PRODUCTS[row["product"]],
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


def working_order_row(order: WorkingOrder) -> dict[str, Any]:
    row = order._asdict()
    place: QueuePlace = row.pop("place")
    return row | {
        "ahead": place.ahead,
        "displayed": place.displayed,
        "average_price": order.average_price,
    }


def lots_of(text: str) -> Lots:
    if text == "[]":
        return ()
    stored: Iterable[tuple[int, str]] = orjson.loads(text)
    return tuple(Lot(quantity, Decimal(value)) for quantity, value in stored)


def lots_row(lots: Lots) -> list[tuple[int, str]]:
    return [(lot.quantity, f"{lot.value:f}") for lot in lots]
