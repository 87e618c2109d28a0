"""The adapter of the scripted broker: what every adapter consists of, at its smallest."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from vyomo_broker_kit.http import Answer, OrderTransport
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import (
    BookEntry,
    FundsEntry,
    PositionEntry,
    SessionOverError,
    TradeEntry,
    UnreadableError,
)
from vyomo_contracts.money import ZERO, to_price
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity
from vyomo_service_kit.clock import Clock

REFUSALS: Final = frozenset(
    {
        (400, "InputException"),
        (400, "MarginException"),
        (400, "HoldingException"),
        (403, "PermissionException"),
        (403, "TokenException"),
        (400, "OrderNotOpen"),
    }
)
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
    exchange: Exchange
    symbol: str
    side: TransactionType
    order_type: OrderType
    product: Product
    validity: Validity
    status: str
    quantity: int
    filled_quantity: int
    average_price: Decimal
    price: Decimal
    trigger_price: Decimal | None
    placed_at: datetime
    text: str | None


class _Book(BaseModel):
    orders: list[_Row]


class _Trade(BaseModel):
    trade_id: str
    order_id: str
    symbol: str
    side: TransactionType
    quantity: int
    price: Decimal
    traded_at: datetime


class _Trades(BaseModel):
    trades: list[_Trade]


class _Position(BaseModel):
    exchange: Exchange
    symbol: str
    product: Product
    quantity: int
    overnight_quantity: int
    buy_quantity: int
    buy_value: Decimal
    sell_quantity: int
    sell_value: Decimal

    @property
    def average(self) -> Decimal:
        """Of all buys while net long, of all sells while net short."""
        value, quantity = (
            (self.buy_value, self.buy_quantity)
            if self.quantity > 0
            else (self.sell_value, self.sell_quantity)
        )
        return to_price(value / quantity) if self.quantity and quantity else ZERO


class _Positions(BaseModel):
    positions: list[_Position]


class _Funds(BaseModel):
    balance: Decimal
    used: Decimal
    available: Decimal


Content = TypeVar("Content", bound=BaseModel)


class ScriptedBrokerPort:
    """A `BrokerPort` for `ScriptedBroker`."""

    def __init__(self, transport: OrderTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        body = {
            "tag": order.broker_tag,
            "exchange": order.exchange,
            "symbol": order.symbol,
            "side": order.transaction_type,
            "order_type": order.order_type,
            "product": order.product,
            "validity": order.validity,
            "quantity": order.quantity,
            "price": str(order.price),
            "trigger_price": None if order.trigger_price is None else str(order.trigger_price),
        }
        path = f"/accounts/{order.account_id}/orders"
        return _outcome(await self._transport.call("POST", path, json=body, urgent=urgent))

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        body = changes.model_dump(mode="json", exclude_none=True)
        return _outcome(await self._transport.call("PUT", _path(order), json=body, urgent=True))

    async def cancel(self, order: Order) -> Outcome:
        return _outcome(await self._transport.call("DELETE", _path(order), urgent=True))

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        book = await self._read(account_id, "orders", _Book)
        now = self._clock.now()
        return [
            BookEntry(
                broker_order_id=row.order_id,
                tag=row.tag,
                exchange=row.exchange,
                symbol=row.symbol,
                transaction_type=row.side,
                order_type=row.order_type,
                product=row.product,
                validity=row.validity,
                state=_STATES[row.status],
                filled_quantity=row.filled_quantity,
                average_price=row.average_price,
                quantity=row.quantity,
                price=row.price,
                trigger_price=row.trigger_price,
                text=row.text,
                placed_at=row.placed_at,
                updated_at=now,
            )
            for row in book.orders
        ]

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        book = await self._read(account_id, "trades", _Trades)
        return [
            TradeEntry(
                trade_id=row.trade_id,
                broker_order_id=row.order_id,
                symbol=row.symbol,
                transaction_type=row.side,
                quantity=row.quantity,
                price=row.price,
                traded_at=row.traded_at,
            )
            for row in book.trades
        ]

    async def positions(self, account_id: int) -> Sequence[PositionEntry]:
        read = await self._read(account_id, "positions", _Positions)
        return [PositionEntry(**row.model_dump(), average_price=row.average) for row in read.positions]

    async def funds(self, account_id: int) -> FundsEntry:
        read = await self._read(account_id, "funds", _Funds)
        return FundsEntry(**read.model_dump())

    async def _read(self, account_id: int, what: str, content: type[Content]) -> Content:
        answer = await self._transport.call("GET", f"/accounts/{account_id}/{what}", urgent=True)
        if not isinstance(answer, Answer):
            raise UnreadableError(str(answer)[:200])
        try:
            if answer.status == 403 and _Error.model_validate_json(answer.body).error == "TokenException":
                raise SessionOverError(what)
            if answer.status != 200:
                raise UnreadableError(f"{what}: status {answer.status}")
            return content.model_validate_json(answer.body)
        except ValidationError as error:
            raise UnreadableError(f"{error.error_count()} fields of {what} are wrong") from error


def _path(order: Order) -> str:
    return f"/accounts/{order.account_id}/orders/{order.broker_order_id}"


def _outcome(answer: Answer | NotSent | Unknown) -> Outcome:
    if not isinstance(answer, Answer):
        return answer
    try:
        if answer.status == 200:
            return Accepted(_Done.model_validate_json(answer.body).order_id, answer.status)
        error = _Error.model_validate_json(answer.body)
    except ValidationError:
        return Unknown(f"an unreadable answer with status {answer.status}", answer.status)
    if answer.status == 429:
        return RateLimited(error.message, answer.status)
    if (answer.status, error.error) in REFUSALS:
        ends_session = error.error == "TokenException"
        return Refused(error.error, error.message, ends_session=ends_session, status=answer.status)
    return Unknown(f"{answer.status} {error.error}: {error.message}", answer.status)
