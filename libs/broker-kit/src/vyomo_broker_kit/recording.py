"""What calls to a broker came to, on its way into the record."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from vyomo_broker_kit.answers import answer_of
from vyomo_broker_kit.outcomes import NotSent, Outcome, Refused
from vyomo_broker_kit.updates import update_of_change, update_of_placing
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState
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

RECORD_RETRY_SECONDS: Final = 0.2
RECORD_RETRY_LIMIT_SECONDS: Final = 2.0

_PASSING: Final = (UnavailableError, LostRaceError, *BUSY)
"""Somebody holds the order's row for long, or the record is away: it will be free or back."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's outcome; `deadline` is the send deadline of the claim it belongs to."""

    order: Order
    change: PendingChange | None
    outcome: Outcome
    deadline: datetime
    may_repeat: bool = False
    """For a change that was not sent: put it back to be tried again."""
    asked_at: datetime | None = None
    """When the call began; None if none was made."""

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


class Answers:
    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._waiting: Batcher[Answer, Exception | None] = Batcher(self._record, in_flight=1, largest=256)

    async def settle(self, answer: Answer) -> None:
        """Record an outcome, however long the record or the order's row is away: it is the only copy of what the broker said."""
        pause = RECORD_RETRY_SECONDS
        while True:
            error: Exception | None
            try:
                error = await self._waiting.submit(answer)
            except UnavailableError as unavailable:
                error = unavailable
            if error is None:
                return
            if not isinstance(error, _PASSING):
                raise error
            log.warning("remote.record_unavailable", order_id=answer.order.order_id, why=repr(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECORD_RETRY_LIMIT_SECONDS)

    async def _record(self, answers: Sequence[Answer]) -> Sequence[Exception | None]:
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

    async def _write(self, answers: Sequence[Answer]) -> None:
        now = self._clock.now()
        ended: dict[int, datetime | None] = {}
        for answer in answers:
            if answer.ends_session:
                before = ended.get(answer.order.account_id, answer.asked_at)
                # The younger of two calls: what it was refused with is no older than what the other was.
                later = None if before is None or answer.asked_at is None else max(before, answer.asked_at)
                ended[answer.order.account_id] = later
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
                update = _update_of(transaction, answer, order, standing, now)
                if update is None:
                    continue
                transaction.step([Step(order=order, update=update, answer=answer_of(answer.outcome))])
                after = transaction.current(order)
                if order.state is OrderState.REJECTED and after.version > order.version:
                    await alert_reopened(transaction, order, after.broker_order_id or "an order it accepted")
            for account_id, asked_at in sorted(ended.items()):
                await end_session(
                    transaction,
                    account_id,
                    reason="the broker refused the session",
                    at=now,
                    asked_at=asked_at,
                )


def _update_of(
    transaction: LedgerTransaction,
    answer: Answer,
    order: Order,
    standing: Mapping[str, str | None],
    now: datetime,
) -> OrderUpdate | None:
    """`standing` are the claims that are the last ones made of their orders, with the stage of the change that is pending."""
    if answer.change is None:
        # Recorded twice (a commit whose answer was lost), "not sent" could meet the next claim, whose call is on the wire: putting
        # that one back would send the order again.
        is_over = answer.is_of_one_claim and order.order_id not in standing
        return None if is_over else update_of_placing(answer.outcome, now)
    is_pending = order.pending_action is answer.change.action
    settles = is_pending and standing.get(order.order_id) == "SUBMITTING"
    if not answer.may_repeat:
        return update_of_change(answer.change, answer.outcome, order, now, settles=settles)
    if settles:
        transaction.put_back(order, now, answer_of(answer.outcome))
    return None
