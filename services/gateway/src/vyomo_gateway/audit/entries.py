"""An event of the record as one flat line: the same columns whatever it is about."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts.money import ZERO
from vyomo_gateway.edge.encoding import Time, View, optional_number, time_text
from vyomo_service_kit.database import Row

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula."""


class AuditEntryView(View, frozen=True, kw_only=True):
    sequence: int
    recorded_at: Time
    type: str
    """order.accepted, order.filled, risk.switched, account.opened, ..."""
    account_id: int | None
    order_id: str | None
    exchange: str | None
    symbol: str | None
    transaction_type: str | None
    quantity: int | None
    filled_quantity: int | None
    price: Decimal | None
    average_price: Decimal | None
    state: str | None
    """Of the order, or the trading state that was switched to."""
    reason_code: str | None
    reason: str | None
    detail: str | None
    """What was set: limits, the scope of a switch, an account's change."""
    component: str | None
    """The service that recorded it."""
    user_id: str | None
    key_id: str | None
    """The key or browser that asked; null where the service acted alone."""
    address: str | None
    broker_answer: str | None

    @classmethod
    def of(cls, row: Row) -> "AuditEntryView":
        body: dict[str, Any] = json.loads(row["body"], parse_float=Decimal)
        order: Mapping[str, Any] = body.get("order") or {}
        by: Mapping[str, Any] = body.get("by") or {}
        return cls(
            sequence=row["sequence"],
            recorded_at=time_text(row["recorded_at"]),
            type=row["type"],
            account_id=row["account_id"],
            order_id=order.get("order_id"),
            exchange=order.get("exchange"),
            symbol=order.get("symbol"),
            transaction_type=order.get("transaction_type"),
            quantity=order.get("quantity"),
            filled_quantity=order.get("filled_quantity"),
            price=_price(order.get("price")),
            average_price=_price(order.get("average_price")),
            state=order.get("state") or body.get("state"),
            reason_code=order.get("reason_code"),
            reason=order.get("reason") or body.get("reason"),
            detail=_detail(body),
            component=by.get("component"),
            user_id=by.get("user_id"),
            key_id=by.get("key_id") or body.get("actor"),
            address=by.get("address"),
            broker_answer=_answer(body.get("broker_answer")),
        )


def _price(value: object) -> Decimal | None:
    price = None if value is None else Decimal(str(value))
    return optional_number(price) if price is not None and price != ZERO else None


def _detail(body: Mapping[str, Any]) -> str | None:
    """In words that a person can read: `name: value, ...`."""
    told: dict[str, Any] = dict(body.get("account") or {})
    if "order" not in body and "scope" in body:
        told["scope"] = " ".join(filter(None, (body["scope"], body.get("scope_id"))))
    if isinstance(limits := body.get("limits"), dict):
        told |= {name: value for name, value in limits.items() if value is not None}
    return ", ".join(f"{name}: {_word(value)}" for name, value in told.items()) or None


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _answer(answer: Mapping[str, Any] | None) -> str | None:
    if answer is None:
        return None
    return (
        " ".join(str(answer[name]) for name in ("status", "code", "text") if answer.get(name) is not None)
        or None
    )


HEADER: Final = tuple(AuditEntryView.__struct_fields__)


def csv_lines(entries: Iterable[AuditEntryView] | None) -> bytes:
    """Lines of the entries; None is the line of their names. A text that a spreadsheet would run is made one that it shows."""
    text = io.StringIO()
    writer = csv.writer(text)
    if entries is None:
        writer.writerow(HEADER)
    else:
        writer.writerows([_cell(getattr(entry, name)) for name in HEADER] for entry in entries)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return f"{value:f}" if isinstance(value, Decimal) else value
