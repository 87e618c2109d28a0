"""Cancelling and modifying: asked for here, carried out by the worker, except for orders no worker has taken yet."""

from collections.abc import Sequence
from typing import Final

import structlog
from asyncpg.exceptions import PostgresError

from vyomo_contracts.commands import CancelOrder, ModifyOrder, OrderReply
from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.messages import Principal, Problem
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order, OrderModification, OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction, Validity
from vyomo_ledger.instruments import Markets
from vyomo_ledger.writing import Ledger, LedgerTransaction, LostRaceError, PendingChange, Step
from vyomo_order_router.assessing import Assessing
from vyomo_order_router.domain.risk import Denied
from vyomo_order_router.domain.validation import unknown_instrument, validate
from vyomo_order_router.doorbell import Doorbell
from vyomo_order_router.placing import record_unavailable
from vyomo_service_kit.clock import INDIA, Clock
from vyomo_service_kit.database import BUSY, RecordUnavailableError

log = structlog.get_logger()


class _AccountLooksError(Exception):
    """The account's limits turned out to look at all of its orders, and others could be accepted meanwhile."""


class OrderChanging:
    def __init__(
        self,
        ledger: Ledger,
        markets: Markets,
        doorbell: Doorbell,
        assessing: Assessing,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._markets = markets
        self._doorbell = doorbell
        self._assessing = assessing
        self._clock = clock

    async def cancel(self, commands: Sequence[CancelOrder]) -> list[OrderReply]:
        """One caller's with one commit; those that somebody holds at this moment afterwards, so that the others do not wait."""
        replies: list[OrderReply | None] = [None] * len(commands)
        callers: dict[Principal, list[int]] = {}
        for place, command in enumerate(commands):
            callers.setdefault(command.principal, []).append(place)
        for places in callers.values():
            if len(places) > 1:
                together = await self._cancel_together([commands[place] for place in places])
                for place, reply in zip(places, together, strict=True):
                    replies[place] = reply
        return [
            reply or await self._serve(command, alone=False)
            for command, reply in zip(commands, replies, strict=True)
        ]

    async def modify(self, commands: Sequence[ModifyOrder]) -> list[OrderReply]:
        return [
            await self._serve(command, alone=self._assessing.looks_at_account(command.account_id))
            for command in commands
        ]

    async def _cancel_together(self, commands: Sequence[CancelOrder]) -> list[OrderReply | None]:
        """None for those that are still to be served one by one. All are one caller's, who stands in their events."""
        replies: list[OrderReply | None] = []
        try:
            async with self._ledger.transaction(principal=commands[0].principal) as transaction:
                keys = [(command.account_id, command.order_id) for command in commands]
                free = await transaction.lock(keys, only_free=True)
                for command in commands:
                    order = free.get(command.order_id)
                    if order is None or (order.account_id, order.user_id) != (
                        command.account_id,
                        command.principal.user_id,
                    ):
                        replies.append(None)
                        continue
                    order = transaction.current(order)  # one order twice in a list is cancelled once
                    is_over = order.state.is_terminal
                    replies.append(
                        OrderReply(order=order, problem=_over(order))
                        if is_over
                        else self._cancel(transaction, order, command.reason)
                    )
        except RecordUnavailableError as error:
            # It may have been committed: whoever asks again is told.
            log.warning("order.change.record_unavailable", why=str(error))
            return [OrderReply(problem=record_unavailable())] * len(commands)
        except (LostRaceError, PostgresError) as error:
            log.warning("order.cancel.one_by_one", why=repr(error), orders=len(commands))
            return [None] * len(commands)
        await self._ring([reply for reply in replies if reply is not None])
        return replies

    async def _serve(self, command: CancelOrder | ModifyOrder, *, alone: bool) -> OrderReply:
        """The order after the request was noted; what the broker made of it is told by events.

        With `alone` no other order of the account is accepted meanwhile, nor after it on what was known before it.
        """
        try:
            async with self._ledger.transaction(principal=command.principal) as transaction:
                if alone:
                    await transaction.hold_accepting(command.account_id)
                # Locked first: a worker that claims it in this moment waits, or we see it as claimed.
                key = (command.account_id, command.order_id)
                order = (await transaction.lock([key])).get(command.order_id)
                if order is None or order.user_id != command.principal.user_id:
                    return OrderReply(problem=_missing(command.order_id))
                if order.state.is_terminal:
                    return OrderReply(order=order, problem=_over(order))
                if isinstance(command, CancelOrder):
                    reply = self._cancel(transaction, order, command.reason)
                else:
                    reply = await self._modify(transaction, order, command.changes, alone=alone)
        except _AccountLooksError:
            return await self._serve(command, alone=True)
        except (RecordUnavailableError, LostRaceError, *BUSY) as error:
            log.warning("order.change.record_unavailable", why=str(error))
            return OrderReply(problem=record_unavailable())
        except PostgresError as error:
            # What one caller says and the database refuses must not fail the callers who share its list.
            log.warning("order.change.refused", why=repr(error))
            return OrderReply(problem=_NOT_RECORDED)
        await self._ring([reply])
        return reply

    async def _ring(self, replies: Sequence[OrderReply]) -> None:
        waiting: dict[str, set[int]] = {}
        for reply in replies:
            if reply.order is not None and reply.order.pending_action is not None:
                waiting.setdefault(reply.order.broker, set()).add(reply.order.account_id)
        for broker, account_ids in waiting.items():
            await self._doorbell.ring(broker, account_ids)

    def _cancel(self, transaction: LedgerTransaction, order: Order, reason: str | None) -> OrderReply:
        now = self._clock.now()
        if order.state is OrderState.NEW:
            update = OrderUpdate(
                state=OrderState.CANCELLED,
                at=now,
                reason_code=ReasonCode.USER_CANCELLED,
                reason=reason or "cancelled before it was sent",
            )
            transaction.step([Step(order=order, update=update)])
            return OrderReply(order=transaction.current(order))
        if order.pending_action is PendingAction.CANCEL:
            return OrderReply(order=order)
        # A cancellation overtakes a modification that is still open: it must never be blocked.
        change = PendingChange(order=order, action=PendingAction.CANCEL, reason=reason)
        return OrderReply(order=transaction.ask(change, now))

    async def _modify(
        self, transaction: LedgerTransaction, order: Order, changes: OrderModification, *, alone: bool
    ) -> OrderReply:
        if order.pending_action is not None:
            problem = Problem(
                code=ReasonCode.ACTION_PENDING,
                message=f"a {order.pending_action.lower()} of {order.order_id} is still open; wait for its outcome",
            )
            return OrderReply(order=order, problem=problem)
        changes = _applicable(order, changes)
        problem = await self._problem_of(order, changes)
        if not alone and self._assessing.looks_at_account(order.account_id):
            raise _AccountLooksError
        if problem is not None:
            return OrderReply(order=order, problem=problem)
        now = self._clock.now()
        if order.state is OrderState.NEW:
            modified = changes.model_dump(exclude_none=True)
            transaction.step(
                [Step(order=order, update=OrderUpdate(state=order.state, at=now, modified=modified))]
            )
            return OrderReply(order=transaction.current(order))
        change = PendingChange(order=order, action=PendingAction.MODIFY, modification=changes)
        return OrderReply(order=transaction.ask(change, now))

    async def _problem_of(self, order: Order, changes: OrderModification) -> Problem | None:
        """The order as it would be must pass the rules and the risk checks that a new one passes."""
        changed = changes.model_dump(exclude_none=True)
        if not any(getattr(order, name) != value for name, value in changed.items()):
            return Problem(
                code=ReasonCode.NOTHING_TO_MODIFY,
                message="nothing would change: name at least one of quantity, price, triggerPrice, orderType, validity that the "
                "order's type has, with a new value",
            )
        if changes.validity is Validity.IOC:
            return Problem(
                code=ReasonCode.VALIDITY_NOT_ALLOWED,
                field="validity",
                message="a working order cannot become IOC; cancel it and place an IOC order",
            )
        after = order.model_copy(update=changed)
        if after.quantity <= order.filled_quantity:
            return Problem(
                code=ReasonCode.QUANTITY_BELOW_FILLED,
                field="quantity",
                message=f"quantity must be above the filled quantity {order.filled_quantity}; to stop here, cancel the order",
            )
        request = OrderRequest.model_validate(
            {name: getattr(after, name) for name in OrderRequest.model_fields}
        )
        key = (order.exchange, order.symbol)
        directory = await self._markets.directory(await self._assessing.market_of(order.account_id))
        instrument = (await directory.find([key])).get(instrument_key(*key))
        if instrument is None:
            listed_on = await directory.listed_on([order.symbol])
            return unknown_instrument(request, listed_on.get(order.symbol, []))
        today = self._clock.now().astimezone(INDIA).date()
        problem = validate(request, instrument, broker=order.broker, today=today)
        if problem is not None:
            return problem
        decision = await self._assessing.assess_change(order, request, instrument)
        return decision.problem if isinstance(decision, Denied) else None


def _applicable(order: Order, changes: OrderModification) -> OrderModification:
    """What does not apply to the order's type is left out, as if it had been placed so; an order without a price has price 0."""
    order_type = changes.order_type or order.order_type
    fitting: dict[str, object] = {}
    if not order_type.takes_price:
        fitting["price"] = ZERO if order.price else None
    if not order_type.takes_trigger_price:
        fitting["trigger_price"] = None
    return changes.model_copy(update=fitting)


_NOT_RECORDED: Final = Problem(
    code=ReasonCode.INTERNAL_ERROR, message="the change could not be recorded; the order stays as it is"
)


def _missing(order_id: str) -> Problem:
    return Problem(
        code=ReasonCode.ORDER_NOT_FOUND, field="orderId", message=f"this account has no order {order_id}"
    )


def _over(order: Order) -> Problem:
    return Problem(
        code=ReasonCode.ORDER_NOT_PENDING,
        field="orderId",
        message=f"{order.order_id} is {order.status}: only a pending order can be changed or cancelled",
        detail={
            "status": order.status,
            "state": order.state,
            "filledQuantity": order.filled_quantity,
            "averagePrice": str(order.average_price),
        },
    )
