"""What can be done with orders, in the name of a caller."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from vyomo_contracts.commands import CancelOrder, ModifyOrder, OrderReply, PlaceOrder
from vyomo_contracts.orders import Order, OrderModification, OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_gateway.commands import Commands
from vyomo_gateway.edge.paging import Page, cursor_at
from vyomo_gateway.edge.problems import ApiError, InvalidRequestError, OrderNotFoundError, RefusedError
from vyomo_gateway.events.watch import OrderWatch
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.orders.reads import (
    ONE_ORDER,
    ORDER_HISTORY,
    ORDER_PAGE,
    TRADE_PAGE,
    event_view,
    fill_of,
    order_of,
    order_view_of,
)
from vyomo_gateway.orders.requests import body_hash
from vyomo_gateway.orders.schemas import (
    ModifyBody,
    OrderEventView,
    OrdersAnswer,
    TradesAnswer,
    TradeView,
)
from vyomo_gateway.reading import Records
from vyomo_service_kit.database import RecordUnavailableError

CANCEL_SECONDS: Final = 5.0
"""How long a cancellation is watched before it is answered as unconfirmed."""
_UNANSWERED: Final = frozenset({OrderState.NEW, OrderState.SUBMITTING, OrderState.UNCONFIRMED})


class OrderService:
    def __init__(self, records: Records, commands: Commands, watch: OrderWatch) -> None:
        self._records = records
        self._commands = commands
        self._watch = watch

    async def place(
        self, caller: Caller, account_id: int, request: OrderRequest, idempotency_key: str
    ) -> OrderReply:
        """Record the order: when this returns it is durable.

        Raises:
            RefusedError: not accepted; with its order when it was recorded as DENIED.
            BusUnavailableError: not known to be recorded; repeat with the same key.
        """
        reply = await self._commands.place(
            PlaceOrder(
                principal=caller.principal,
                account_id=account_id,
                idempotency_key=idempotency_key,
                body_hash=body_hash(request),
                deadline=self._commands.deadline(),
                order=request,
            )
        )
        _raise_problem(reply)
        return reply

    async def modify(
        self, caller: Caller, account_id: int, order_id: str, body: ModifyBody, *, seconds: int
    ) -> Order:
        """The modified order; or, with `pending_action` MODIFY, one whose modification the broker has not answered in `seconds`.

        Raises:
            RefusedError: it cannot be modified so.
            ApiError: the broker refused, or something else happened instead.
        """
        changes = body.model_dump(exclude_none=True)
        if not changes:
            raise ApiError(
                ReasonCode.NOTHING_TO_MODIFY,
                "name at least one of quantity, price, triggerPrice, orderType and validity",
            )
        if body.quantity is not None and body.quantity <= 0:
            raise InvalidRequestError.one(
                ReasonCode.QUANTITY_NOT_POSITIVE, "quantity", "quantity must be greater than 0"
            )
        reply = await self._commands.modify(
            ModifyOrder(
                principal=caller.principal,
                account_id=account_id,
                order_id=order_id,
                changes=OrderModification(**changes),
            )
        )
        order = await self._order_in(caller, account_id, reply)
        if seconds:
            order = await self.until_answered(caller, order, seconds=seconds, action=PendingAction.MODIFY)
        if order.pending_action is not PendingAction.MODIFY and not _is_as_asked(order, changes):
            raise _not_modified(order)
        return order

    async def cancel(self, caller: Caller, account_id: int, order_id: str, reason: str | None) -> Order:
        """The cancelled order; or, still open, one whose cancellation the broker has not answered within `CANCEL_SECONDS`.

        Raises:
            RefusedError: nothing to cancel.
            ApiError: something else happened instead.
        """
        reply = await self._commands.cancel(
            CancelOrder(principal=caller.principal, account_id=account_id, order_id=order_id, reason=reason)
        )
        order = await self._order_in(caller, account_id, reply)
        order = await self.until_answered(caller, order, seconds=CANCEL_SECONDS, action=PendingAction.CANCEL)
        is_asked = not order.state.is_terminal and order.pending_action is PendingAction.CANCEL
        if order.state is not OrderState.CANCELLED and not is_asked:
            raise _not_cancelled(order)
        return order

    async def until_answered(
        self, caller: Caller, order: Order, *, seconds: float, action: PendingAction | None = None
    ) -> Order:
        """The order once the broker has answered it (or, with `action`, that change of it), or as it is after `seconds`."""

        def is_answered(order: Order) -> bool:
            if action is not None:
                return order.state.is_terminal or order.pending_action is not action
            return order.state not in _UNANSWERED

        async def read_order() -> Order:
            # While it waits, a caller is better served by what is known than by an error.
            with suppress(RecordUnavailableError):
                return await self.find(caller, order.account_id, order.order_id)
            return order

        return await self._watch.until(order, is_answered, read_order=read_order, seconds=seconds)

    async def find(self, caller: Caller, account_id: int, order_id: str) -> Order:
        async with self._records.read(caller) as reader:
            row = await reader.row(ONE_ORDER, account_id=account_id, order_id=order_id)
            if row is None:
                await reader.require_account(account_id)
                raise OrderNotFoundError(order_id)
        return order_of(row)

    async def page(self, caller: Caller, account_id: int, page: Page) -> OrdersAnswer:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(
                ORDER_PAGE, account_id=account_id, before=page.before, limit=page.limit + 1
            )
            if not rows:
                await reader.require_account(account_id)
        orders = [order_view_of(row) for row in rows[: page.limit]]
        if len(rows) <= page.limit:
            return OrdersAnswer(orders=orders)
        return OrdersAnswer(orders=orders, next_cursor=cursor_at(rows[page.limit - 1]["sequence"]))

    async def history(self, caller: Caller, account_id: int, order_id: str) -> list[OrderEventView]:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(ORDER_HISTORY, account_id=account_id, order_id=order_id)
            if not rows:
                await reader.require_account(account_id)
                raise OrderNotFoundError(order_id)
        return [event_view(row) for row in rows]

    async def trades(self, caller: Caller, account_id: int, page: Page) -> TradesAnswer:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(
                TRADE_PAGE, account_id=account_id, before=page.before, limit=page.limit + 1
            )
            if not rows:
                await reader.require_account(account_id)
        trades = [TradeView.of(fill_of(row)) for row in rows[: page.limit]]
        if len(rows) <= page.limit:
            return TradesAnswer(trades=trades)
        return TradesAnswer(trades=trades, next_cursor=cursor_at(rows[page.limit - 1]["id"]))

    async def _order_in(self, caller: Caller, account_id: int, reply: OrderReply) -> Order:
        if reply.problem is not None and reply.problem.code is ReasonCode.ORDER_NOT_FOUND:
            # Said as every other call says it: a foreign account does not exist, so it has no orders either.
            async with self._records.read(caller) as reader:
                await reader.require_account(account_id)
        _raise_problem(reply)
        assert reply.order is not None
        return reply.order


def _raise_problem(reply: OrderReply) -> None:
    if reply.problem is not None:
        raise RefusedError(reply.problem, reply.order)


def _is_as_asked(order: Order, changes: Mapping[str, object]) -> bool:
    """Whether every change that applies to an order of its type is in it."""
    ignored: set[str] = set()
    if not order.order_type.takes_price:
        ignored.add("price")
    if not order.order_type.takes_trigger_price:
        ignored.add("trigger_price")
    return all(getattr(order, name) == value for name, value in changes.items() if name not in ignored)


def _not_modified(order: Order) -> ApiError:
    if order.state.is_terminal:
        return _too_late(order, "modification")
    if order.pending_action is PendingAction.CANCEL:
        error = ApiError(
            ReasonCode.ACTION_PENDING,
            f"{order.order_id} was not modified: a cancellation that came later overtook it",
        )
        error.order = order
        return error
    return _refused(order, "modify")


def _not_cancelled(order: Order) -> ApiError:
    if order.state.is_terminal:
        return _too_late(order, "cancellation")
    return _refused(order, "cancel")


def _refused(order: Order, action: str) -> ApiError:
    """The order's reason says why the change was not made; a user's own reason for a cancellation says nothing of that."""
    code = order.reason_code
    if code is None or code is ReasonCode.USER_CANCELLED:
        code = ReasonCode.BROKER_REFUSED
    if code is ReasonCode.BROKER_UNREACHABLE:
        said = f"the broker could not be reached to {action} {order.order_id}"
    else:
        why = f": {order.reason}" if order.reason else ""
        said = f"the broker refused to {action} {order.order_id}{why}"
    error = ApiError(
        code,
        f"{said}; it is still {order.state}",
        detail={"orderId": order.order_id, "status": order.status},
    )
    error.order = order
    return error


def _too_late(order: Order, action: str) -> ApiError:
    what = {
        OrderState.FILLED: "was filled completely",
        OrderState.REJECTED: "was rejected by the broker",
        OrderState.EXPIRED: "expired",
    }.get(order.state, f"is {order.state}")
    error = ApiError(
        ReasonCode.ORDER_NOT_PENDING,
        f"{order.order_id} {what} before the {action} took effect",
        field="orderId",
        detail={"orderId": order.order_id, "status": order.status, "filledQuantity": order.filled_quantity},
    )
    error.order = order
    return error
