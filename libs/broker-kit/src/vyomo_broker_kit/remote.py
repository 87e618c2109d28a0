"""Executing at a broker that is elsewhere: claim, commit, one call, outcome, commit.

The claim is one-way. Once an order is SUBMITTING nobody sends it again, whatever dies: only evidence moves it on. So a process
that stops between claim and call costs a wait for the broker's book, never a second order.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from vyomo_broker_kit.answers import cleaned
from vyomo_broker_kit.limits import SendLimits
from vyomo_broker_kit.outcomes import NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import BrokerPort
from vyomo_broker_kit.recording import Answer, Answers
from vyomo_broker_kit.repeats import Repeats
from vyomo_broker_kit.start_gate import StartGate
from vyomo_broker_kit.taking import Round, Taking, key_of
from vyomo_broker_kit.wakefulness import Wakefulness
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import PendingAction
from vyomo_ledger.writing import Ledger, PendingChange
from vyomo_service_kit import failpoints
from vyomo_service_kit.clock import Clock

log = structlog.get_logger()


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
        gate: StartGate | None = None,
    ) -> None:
        """Without a `gate` no account's books need be read before its orders are claimed."""
        gate = gate or StartGate(clock, needs=frozenset())
        self._port = port
        self._clock = clock
        self._limits = limits
        self._ring = ring
        self._look = look
        self._repeats = Repeats(clock)
        self._taking = Taking(ledger, clock, limits, self._repeats, gate)
        self._answers = Answers(ledger, clock)
        self._wakefulness = Wakefulness(clock)
        self._calls: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """On leaving, calls already made are awaited and recorded: they are bounded by their own time limit."""
        async with self._wakefulness.watching():
            try:
                yield
            finally:
                if self._calls:
                    await asyncio.wait(self._calls, timeout=self._limits.total_seconds + 2)

    async def run(self, account_ids: Sequence[int]) -> None:
        round_ = await self._taking.take_on(account_ids, self._wakefulness.moment())
        if round_.orders:
            failpoints.reach("claim.committed")
        for order in round_.orders:
            self._start(self._place(order, round_))
        for change in round_.changes:
            self._start(self._carry_out(change, round_))

    async def _place(self, order: Order, round_: Round) -> None:
        held_back = self._held_back(round_)
        if held_back is None and round_.latest(self._clock.elapsed()) >= order.expires_at:
            held_back = NotSent("the order expired between claim and call")
        outcome: Outcome
        asked_at = self._clock.now()
        if held_back is not None:
            outcome = held_back
        else:
            outcome = await _outcome_of(self._port.place(order, urgent=order.order_id in round_.exits))
            self._note(outcome, order.order_id, order.account_id)
        await self._answers.settle(Answer(order, None, outcome, round_.deadline, asked_at=asked_at))
        if isinstance(outcome, NotSent) and held_back is None:
            return  # nobody rings: the next look into the record is soon enough for a broker that cannot be reached
        self._ring([order.account_id])
        if not isinstance(outcome, NotSent | Refused):
            self._look(order.account_id)

    async def _carry_out(self, change: PendingChange, round_: Round) -> None:
        outcome: Outcome
        held_back = self._held_back(round_)
        asked_at = self._clock.now()
        may_repeat = True
        if held_back is not None:
            outcome = held_back
        else:
            outcome = await _outcome_of(self._change(change))
            may_still_try = self._note(outcome, key_of(change), change.order.account_id)
            # Asking again for the same change of the same order does nothing twice, so being turned away is like not being sent.
            may_repeat = isinstance(outcome, NotSent | RateLimited) and may_still_try
        answer = Answer(change.order, change, outcome, round_.deadline, may_repeat, asked_at)
        # One that met a dead session waits for the next.
        await self._answers.settle(replace(answer, may_repeat=True) if answer.ends_session else answer)
        if held_back is not None:
            self._ring([change.order.account_id])
        self._look(change.order.account_id)

    def _change(self, change: PendingChange) -> Awaitable[Outcome]:
        if change.action is PendingAction.CANCEL:
            return self._port.cancel(change.order)
        assert change.modification is not None
        return self._port.modify(change.order, change.modification)

    def _held_back(self, round_: Round) -> NotSent | None:
        """Why the calls of a claim are not made after all. No fault of the broker's, so it does not count as a failed try."""
        now = self._clock.elapsed()
        if self._wakefulness.was_away(round_.asked, self._limits.stale_claim_seconds):
            return NotSent("the process was suspended between claim and call")
        if (round_.deadline - round_.latest(now)).total_seconds() < self._limits.total_seconds:
            return NotSent("the claim took so long that its call could outlive the send deadline")
        return None

    def _note(self, outcome: Outcome, key: str, account_id: int) -> bool:
        """Whether there may be another try of one that was not sent or was turned away."""
        if isinstance(outcome, NotSent):
            return self._repeats.failed(key, account_id)
        # The broker can be reached: whatever waits for it need not wait any longer.
        self._ring(self._repeats.reached())
        return isinstance(outcome, RateLimited) and self._repeats.failed(key, account_id)

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
