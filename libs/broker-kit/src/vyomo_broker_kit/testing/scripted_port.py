"""The adapter of the scripted broker: what every adapter consists of, at its smallest."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from vyomo_broker_kit.http import Answer, OrderTransport
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, Refused, Unknown
from vyomo_broker_kit.port import BookEntry, BookUnreadableError
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import OrderState
from vyomo_service_kit.clock import Clock

REFUSALS: Final = frozenset({(400, "InputException"), (400, "OrderNotOpen")})
"""The white list: only these answers prove that nothing was done."""

_STATES: Final = {
    "OPEN": OrderState.OPEN,
    "COMPLETE": OrderState.FILLED,
    "CANCELLED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
}


class _Done(BaseModel):
    order_id: str = Field(min_length=1)
    """An acceptance without an id is none: nobody could find the order again by it."""


class _Error(BaseModel):
    error: str
    message: str


class _Row(BaseModel):
    order_id: str
    tag: str | None
    status: str
    quantity: int
    filled_quantity: int
    average_price: Decimal
    price: Decimal
    trigger_price: Decimal | None


class _Book(BaseModel):
    orders: list[_Row]


class ScriptedBrokerPort:
    """A `BrokerPort` for `ScriptedBroker`."""

    def __init__(self, transport: OrderTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def place(self, order: Order) -> Outcome:
        body = {
            "tag": order.broker_tag,
            "symbol": order.symbol,
            "side": order.transaction_type,
            "quantity": order.quantity,
            "price": str(order.price),
            "trigger_price": None if order.trigger_price is None else str(order.trigger_price),
        }
        return _outcome(await self._transport.call("POST", "/orders", json=body))

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        body = changes.model_dump(mode="json", exclude_none=True)
        return _outcome(
            await self._transport.call("PUT", f"/orders/{order.broker_order_id}", json=body, urgent=True)
        )

    async def cancel(self, order: Order) -> Outcome:
        return _outcome(await self._transport.call("DELETE", f"/orders/{order.broker_order_id}", urgent=True))

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        answer = await self._transport.call("GET", f"/accounts/{account_id}/orders", urgent=True)
        if not isinstance(answer, Answer) or answer.status != 200:
            raise BookUnreadableError(str(answer)[:200])
        try:
            book = _Book.model_validate_json(answer.body)
        except ValidationError as error:
            raise BookUnreadableError(f"{error.error_count()} fields of the book are wrong") from error
        now = self._clock.now()
        return [
            BookEntry(
                broker_order_id=row.order_id,
                tag=row.tag,
                state=_STATES[row.status],
                filled_quantity=row.filled_quantity,
                average_price=row.average_price,
                quantity=row.quantity,
                price=row.price,
                trigger_price=row.trigger_price,
                text=None,
                updated_at=now,
            )
            for row in book.orders
        ]


def _outcome(answer: Answer | NotSent | Unknown) -> Outcome:
    if not isinstance(answer, Answer):
        return answer
    try:
        if answer.status == 200:
            return Accepted(_Done.model_validate_json(answer.body).order_id)
        error = _Error.model_validate_json(answer.body)
    except ValidationError:
        return Unknown(f"an unreadable answer with status {answer.status}")
    if (answer.status, error.error) in REFUSALS:
        return Refused(error.error, error.message)
    return Unknown(f"{answer.status} {error.error}: {error.message}")
