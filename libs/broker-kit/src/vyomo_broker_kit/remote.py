"""Executing at a broker that is elsewhere: claim, commit, one call, outcome, commit.

The claim is one-way. Once an order is SUBMITTING nobody sends it again, whatever dies: only evidence moves it on. So a process
that stops between claim and call costs a wait for the broker's book, never a second order.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from vyomo_broker_kit.answers import answer_of, cleaned
from vyomo_broker_kit.outcomes import NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.rate import SendRate
from vyomo_broker_kit.repeats import Repeats
from vyomo_broker_kit.updates import update_given_up, update_of_change, update_of_placing, update_unsent
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.risk import OrderRate
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.writing import (
    Ledger,
    LedgerTransaction,
    LostRaceError,
    PendingChange,
    Step,
    alert_reopened,
    end_session,
    lock_sessions,
)
from vyomo_service_kit import failpoints
from vyomo_service_kit.batching import Batcher
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import BUSY
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

CLAIMED_PER_ACCOUNT: Final = 16
RECORD_RETRY_SECONDS: Final = 0.2
RECORD_RETRY_LIMIT_SECONDS: Final = 2.0

_PASSING: Final = (UnavailableError, LostRaceError, *BUSY)
"""Somebody holds the order's row for long, or the record is away: it will be free or back."""
_SUSPENDED: Final = NotSent("the process was suspended between claim and call")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    in_flight_per_account: int = 2
    """Entries of one account on the wire at once. Cancels and modifications have their own way past them."""
    more_for_exits: int = 2
    """Orders that reduce a position find this much room beside entries that hang."""
    total_seconds: float = 7.0
    """Longest a call may take, all in all; the send deadline is this plus a second for the commit."""
    waiting_change_seconds: float = 60.0
    """How long a cancellation or modification waits for a broker session before it is given up."""
    stale_claim_seconds: float = 0.5
    """A process that slept this long between claim and call does not call: its knowledge is old."""
    rate: OrderRate | None = None
    """Calls of one account in a second; what is above it waits in its lane."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """One call's outcome on its way into the record."""

    order: Order
    change: PendingChange | None
    outcome: Outcome
    deadline: datetime
    may_repeat: bool = False
    """For a change that was not sent: put it back to be tried again."""

    @property
    def claim(self) -> tuple[int, str, datetime]:
        """Each claim has a send deadline of its own."""
        return self.order.account_id, self.order.order_id, self.deadline

    @property
    def is_of_one_claim(self) -> bool:
        """Says something of the claim it answers, not of the order for good."""
        return self.change is not None or isinstance(self.outcome, NotSent)

    @property
    def ends_session(self) -> bool:
        return isinstance(self.outcome, Refused) and self.outcome.ends_session


@dataclass(frozen=True, slots=True)
class _Round:
    """What one claim took on: its orders, exits first, and changes."""

    orders: list[Order]
    exits: set[str]
    changes: list[PendingChange]
    deadline: datetime


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
        self._rate = None if limits.rate is None else SendRate(limits.rate, clock)
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
        claimed = await self._claim(account_ids)
        if claimed.orders:
            failpoints.reach("claim.committed")
        for order in claimed.orders:
            is_exit = order.order_id in claimed.exits
            self._start(self._place(order, claimed_at, claimed.deadline, is_exit=is_exit))
        for change in claimed.changes:
            self._start(self._carry_out(change, claimed_at, claimed.deadline))

    async def _claim(self, account_ids: Sequence[int]) -> _Round:
        """One commit: as many of the oldest new orders as the lanes have room for, and every change that can be made now."""
        now = self._clock.now()
        async with self._ledger.transaction() as transaction:
            # More than there is room for: some may wait for another try, and changes asked for wait in the same lane.
            waiting = await transaction.claim(
                account_ids,
                per_account=CLAIMED_PER_ACCOUNT,
                exits_first=True,
                only_sendable=True,
                except_for=self._repeats.given_up(),
            )
            # By the record's clock: the one that judges later whether the deadline has passed.
            deadline = (waiting.at or now) + timedelta(seconds=self._limits.total_seconds + 1)
            taken = self._take(waiting.orders, waiting.exits, await transaction.sends_in_flight(account_ids))
            update = OrderUpdate(state=OrderState.SUBMITTING, at=now)
            transaction.step([Step(order=order, update=update, send_deadline=deadline) for order in taken])
            claimed = [transaction.current(order) for order in taken]
            changes = [
                replace(change, order=transaction.begin_action(change.order, now, deadline))
                for change in waiting.actions
                if self._can_be_sent(
                    transaction, change, now, offline=change.order.account_id in waiting.without_session
                )
            ]
        return _Round(claimed, waiting.exits, changes, deadline)

    def _take(self, orders: Sequence[Order], exits: set[str], in_flight: dict[int, int]) -> list[Order]:
        """As they stand in line: the first of an account that has to wait holds those behind it back.

        Exits stand before entries and find more room, so an entry never holds one back.
        """
        taken: list[Order] = []
        held: set[int] = set()
        for order in orders:
            account_id, room = order.account_id, self._limits.in_flight_per_account
            if account_id in held:
                continue
            if order.order_id in exits:
                room += self._limits.more_for_exits
            if in_flight.get(account_id, 0) >= room or not self._repeats.may_try(order.order_id):
                held.add(account_id)
                continue
            if not self._may_send(account_id):
                held.add(account_id)
                continue
            in_flight[account_id] = in_flight.get(account_id, 0) + 1
            taken.append(order)
        return taken

    def _can_be_sent(
        self, transaction: LedgerTransaction, change: PendingChange, now: datetime, *, offline: bool
    ) -> bool:
        """A change of an order that never left is settled here. One without a broker session waits, though not for ever."""
        order = change.order
        if order.state is OrderState.NEW:
            transaction.step([Step(order=order, update=update_unsent(change, now))])
            return False
        if offline:
            patience = timedelta(seconds=self._limits.waiting_change_seconds)
            if change.asked_at is not None and now - change.asked_at > patience:
                transaction.step([Step(order=order, update=update_given_up(order, now))])
            return False
        is_cancel = change.action is PendingAction.CANCEL
        return self._repeats.may_try(_key_of(change)) and self._may_send(
            order.account_id, is_cancel=is_cancel
        )

    def _may_send(self, account_id: int, *, is_cancel: bool = False) -> bool:
        return self._rate is None or self._rate.take(account_id, is_cancel=is_cancel)

    async def _place(self, order: Order, claimed_at: float, deadline: datetime, *, is_exit: bool) -> None:
        outcome: Outcome
        if self._is_stale(claimed_at):
            outcome = _SUSPENDED
        elif self._clock.now() >= order.expires_at:
            outcome = NotSent("the order expired between claim and call")
        else:
            outcome = await _outcome_of(self._port.place(order, urgent=is_exit))
        if isinstance(outcome, NotSent):
            self._repeats.failed(order.order_id)
        await self._settle(_Answer(order, None, outcome, deadline))
        if isinstance(outcome, NotSent):
            return  # nobody rings: the next look into the record is soon enough for a broker that cannot be reached
        self._ring([order.account_id])
        if not isinstance(outcome, Refused):
            self._look(order.account_id)

    async def _carry_out(self, change: PendingChange, claimed_at: float, deadline: datetime) -> None:
        outcome: Outcome
        if self._is_stale(claimed_at):
            outcome = _SUSPENDED
        elif change.action is PendingAction.CANCEL:
            outcome = await _outcome_of(self._port.cancel(change.order))
        else:
            assert change.modification is not None
            outcome = await _outcome_of(self._port.modify(change.order, change.modification))
        # Asking again for the same change of the same order does nothing twice, so being turned away is like not being sent.
        may_repeat = isinstance(outcome, NotSent | RateLimited) and self._repeats.failed(_key_of(change))
        answer = _Answer(change.order, change, outcome, deadline, may_repeat)
        # One that met a dead session waits for the next.
        await self._settle(replace(answer, may_repeat=True) if answer.ends_session else answer)
        self._look(change.order.account_id)

    async def _settle(self, answer: _Answer) -> None:
        """Record an outcome, however long the record or the order's row is away: it is the only copy of what the broker said."""
        pause = RECORD_RETRY_SECONDS
        while True:
            error: Exception | None
            try:
                error = await self._answers.submit(answer)
            except UnavailableError as unavailable:
                error = unavailable
            if error is None:
                return
            if not isinstance(error, _PASSING):
                raise error
            log.warning("remote.record_unavailable", order_id=answer.order.order_id, why=repr(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECORD_RETRY_LIMIT_SECONDS)

    async def _record(self, answers: Sequence[_Answer]) -> Sequence[Exception | None]:
        """One commit for every outcome that arrived while the last one was being recorded; a bad one fails alone."""
        failpoints.reach("outcome.unrecorded")
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
        ended = sorted({answer.order.account_id for answer in answers if answer.ends_session})
        async with self._ledger.transaction() as transaction:
            if ended:
                await lock_sessions(transaction, ended)
            orders = await transaction.lock(
                (answer.order.account_id, answer.order.order_id) for answer in answers
            )
            standing = await transaction.standing_claims(
                [answer.claim for answer in answers if answer.is_of_one_claim]
            )
            for answer in answers:
                order = transaction.current(orders[answer.order.order_id])
                if answer.change is None:
                    # Recorded twice (a commit whose answer was lost), "not sent" could meet the next claim, whose call is on the
                    # wire: putting that one back would send the order again.
                    if answer.is_of_one_claim and order.order_id not in standing:
                        continue
                    update = update_of_placing(answer.outcome, now)
                else:
                    is_pending = order.pending_action is answer.change.action
                    settles = is_pending and standing.get(order.order_id) == "SUBMITTING"
                    if answer.may_repeat:
                        if settles:
                            transaction.put_back(order, now, answer_of(answer.outcome))
                        continue
                    update = update_of_change(answer.change, answer.outcome, order, now, settles=settles)
                if update is None:
                    continue
                transaction.step([Step(order=order, update=update, answer=answer_of(answer.outcome))])
                after = transaction.current(order)
                if order.state is OrderState.REJECTED and after.version > order.version:
                    await alert_reopened(transaction, order, after.broker_order_id or "an order it accepted")
            for account_id in ended:
                await end_session(transaction, account_id, reason="the broker refused the session", at=now)

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


async def _outcome_of(call: Awaitable[Outcome]) -> Outcome:
    """A port never raises. If one does after all, nobody knows how far it came."""
    try:
        return cleaned(await call)
    except Exception as error:
        log.exception("remote.port_failed")
        return Unknown(type(error).__name__)


def _key_of(change: PendingChange) -> str:
    return f"{change.order.order_id}:{change.action}"
