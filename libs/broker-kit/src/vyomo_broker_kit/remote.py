"""Executing at a broker that is elsewhere: claim, commit, one call, outcome, commit.

The claim is one-way. Once an order is SUBMITTING nobody sends it again, whatever dies: only evidence moves it on. So a process
that stops between claim and call costs a wait for the broker's book, never a second order.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog

from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, Refused, Unknown
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.repeats import Repeats
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.writing import Ledger, LedgerTransaction, PendingChange, Step
from vyomo_service_kit.batching import Batcher
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

CLAIMED_PER_ACCOUNT: Final = 16
RECORD_RETRY_SECONDS: Final = 0.2
RECORD_RETRY_LIMIT_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    in_flight_per_account: int = 2
    """Entries of one account on the wire at once. Cancels and modifications have their own way past them."""
    total_seconds: float = 7.0
    """Longest a call may take, all in all; the send deadline is this plus a second for the commit."""
    stale_claim_seconds: float = 0.5
    """A process that slept this long between claim and call does not call: its knowledge is old."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """One call's outcome on its way into the record."""

    order: Order
    change: PendingChange | None
    outcome: Outcome
    may_repeat: bool = False
    """For a change that was not sent: put it back to be tried again."""


class RemoteExecutor:
    """A `LaneExecutor` whose `run` returns after the claim's commit; calls and records go on in tasks of their own.

    `ring` is called when a lane has room again, `look` when an account's book is worth reading.
    """

    def __init__(
        self,
        ledger: Ledger,
        port: BrokerPort,
        clock: Clock,
        *,
        limits: SendLimits,
        ring: Callable[[Iterable[int]], None],
        look: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._limits = limits
        self._ring = ring
        self._look = look
        self._repeats = Repeats(clock)
        self._answers: Batcher[_Answer, Exception | None] = Batcher(self._record, in_flight=1, largest=256)
        self._calls: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """On leaving, calls already made are awaited and recorded: they are bounded by their own time limit."""
        try:
            yield
        finally:
            if self._calls:
                await asyncio.wait(self._calls, timeout=self._limits.total_seconds + 2)

    async def run(self, account_ids: Sequence[int]) -> None:
        claimed_at = self._clock.elapsed()
        orders, changes = await self._claim(account_ids)
        for order in orders:
            self._start(self._place(order, claimed_at))
        for change in changes:
            self._start(self._carry_out(change, claimed_at))

    async def _claim(self, account_ids: Sequence[int]) -> tuple[list[Order], list[PendingChange]]:
        """One commit: as many of the oldest new orders as the lanes have room for, and every change that can be made now."""
        now = self._clock.now()
        deadline = now + timedelta(seconds=self._limits.total_seconds + 1)
        async with self._ledger.transaction() as transaction:
            # More than there is room for: some may wait for another try, and changes asked for wait in the same lane.
            share = CLAIMED_PER_ACCOUNT
            waiting = await transaction.claim(account_ids, per_account=share)
            in_flight = await transaction.sends_in_flight(account_ids, now)
            taken: list[Order] = []
            for order in waiting.orders:
                used = in_flight.get(order.account_id, 0)
                if used >= self._limits.in_flight_per_account or not self._repeats.may_try(order.order_id):
                    continue
                in_flight[order.account_id] = used + 1
                taken.append(order)
            update = OrderUpdate(state=OrderState.SUBMITTING, at=now)
            transaction.step([Step(order=order, update=update, send_deadline=deadline) for order in taken])
            claimed = [transaction.current(order) for order in taken]
            changes = [
                replace(change, order=transaction.begin_action(change.order, now, deadline))
                for change in waiting.actions
                if self._can_be_sent(transaction, change, now)
            ]
        return claimed, changes

    def _can_be_sent(self, transaction: LedgerTransaction, change: PendingChange, now: datetime) -> bool:
        """A change of an order that never left is settled here; one of an order whose broker id is not known yet waits for it."""
        order = change.order
        if order.state is OrderState.NEW:
            transaction.step([Step(order=order, update=update_unsent(change, now))])
            return False
        return order.broker_order_id is not None and self._repeats.may_try(_key_of(change))

    async def _place(self, order: Order, claimed_at: float) -> None:
        outcome: Outcome
        if self._is_stale(claimed_at):
            outcome = NotSent("the process was suspended between claim and call")
        else:
            outcome = await self._port.place(order)
        if isinstance(outcome, NotSent):
            self._repeats.failed(order.order_id)
        await self._settle(_Answer(order, None, outcome))
        if isinstance(outcome, NotSent):
            return  # nobody rings: the next look into the record is soon enough for a broker that cannot be reached
        self._ring([order.account_id])
        if not isinstance(outcome, Refused):
            self._look(order.account_id)

    async def _carry_out(self, change: PendingChange, claimed_at: float) -> None:
        outcome: Outcome
        if self._is_stale(claimed_at):
            outcome = NotSent("the process was suspended between claim and call")
        elif change.action is PendingAction.CANCEL:
            outcome = await self._port.cancel(change.order)
        else:
            assert change.modification is not None
            outcome = await self._port.modify(change.order, change.modification)
        may_repeat = isinstance(outcome, NotSent) and self._repeats.failed(_key_of(change))
        await self._settle(_Answer(change.order, change, outcome, may_repeat))
        self._look(change.order.account_id)

    async def _settle(self, answer: _Answer) -> None:
        """Record an outcome, however long the record is away: it is the only copy of what the broker said."""
        pause = RECORD_RETRY_SECONDS
        while True:
            try:
                error = await self._answers.submit(answer)
            except UnavailableError as unavailable:
                log.warning("remote.record_unavailable", order_id=answer.order.order_id, why=str(unavailable))
                await asyncio.sleep(pause)
                pause = min(pause * 2, RECORD_RETRY_LIMIT_SECONDS)
                continue
            if error is not None:
                raise error
            return

    async def _record(self, answers: Sequence[_Answer]) -> Sequence[Exception | None]:
        """One commit for every outcome that arrived while the last one was being recorded; a bad one fails alone."""
        try:
            await self._write(answers)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - given to the one whose outcome it is
            if len(answers) == 1:
                return [error]
            return [result for answer in answers for result in await self._record([answer])]
        return [None] * len(answers)

    async def _write(self, answers: Sequence[_Answer]) -> None:
        now = self._clock.now()
        async with self._ledger.transaction() as transaction:
            orders = await transaction.lock(
                (answer.order.account_id, answer.order.order_id) for answer in answers
            )
            for answer in answers:
                order = transaction.current(orders[answer.order.order_id])
                if answer.may_repeat:
                    transaction.put_back(order, now)
                    continue
                if answer.change is None:
                    update = update_of_placing(answer.outcome, now)
                else:
                    update = update_of_change(answer.change, answer.outcome, order, now)
                if update is not None:
                    transaction.step([Step(order=order, update=update)])

    def _is_stale(self, claimed_at: float) -> bool:
        return self._clock.elapsed() - claimed_at > self._limits.stale_claim_seconds

    def _start(self, call: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(call)
        self._calls.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("remote.call_failed", exc_info=error)


def _key_of(change: PendingChange) -> str:
    return f"{change.order.order_id}:{change.action}"


def update_unsent(change: PendingChange, at: datetime) -> OrderUpdate:
    """What a change makes of an order that is still only ours."""
    if change.action is PendingAction.CANCEL:
        return OrderUpdate(state=OrderState.CANCELLED, at=at, clears_pending_action=True)
    assert change.modification is not None
    modified = change.modification.model_dump(exclude_none=True)
    return OrderUpdate(state=OrderState.NEW, at=at, modified=modified, clears_pending_action=True)


def update_of_placing(outcome: Outcome, at: datetime) -> OrderUpdate:
    """What a place call's outcome says of the order."""
    match outcome:
        case Accepted(broker_order_id=broker_order_id):
            return OrderUpdate(state=OrderState.ACKNOWLEDGED, at=at, broker_order_id=broker_order_id)
        case Refused(code=code, text=text):
            reason = f"{code}: {text}"
            return OrderUpdate(
                state=OrderState.REJECTED, at=at, reason_code=ReasonCode.BROKER_REFUSED, reason=reason
            )
        case NotSent():
            # Proved unsent, so it may be tried again until it expires: the next look into the record finds it.
            return OrderUpdate(state=OrderState.NEW, at=at)
        case Unknown(cause=cause):
            return OrderUpdate(
                state=OrderState.UNCONFIRMED, at=at, reason_code=ReasonCode.OUTCOME_UNKNOWN, reason=cause
            )
        case _:
            assert_never(outcome)


def update_of_change(
    change: PendingChange, outcome: Outcome, order: Order, at: datetime
) -> OrderUpdate | None:
    """What a modify or cancel call's outcome says of the order; None where only the broker's book can tell.

    A cancel that was accepted is not yet a cancelled order, and one that was refused may mean that the order is already filled:
    the book answers both. A refused or unsent modification is over. A modification that was overtaken by a cancellation leaves
    that one standing.
    """
    settles = order.pending_action is change.action
    match outcome:
        case Accepted() if change.action is PendingAction.MODIFY and change.modification is not None:
            changed = change.modification.model_dump(exclude_none=True)
            return OrderUpdate(state=order.state, at=at, modified=changed, clears_pending_action=settles)
        case Refused(code=code, text=text):
            return OrderUpdate(
                state=order.state,
                at=at,
                reason_code=ReasonCode.BROKER_REFUSED,
                reason=f"{code}: {text}",
                clears_pending_action=settles,
            )
        case NotSent(cause=cause):
            return OrderUpdate(
                state=order.state,
                at=at,
                reason_code=ReasonCode.BROKER_REFUSED,
                reason=f"not sent: {cause}",
                clears_pending_action=settles,
            )
        case Accepted() | Unknown():
            return None
        case _:
            assert_never(outcome)
