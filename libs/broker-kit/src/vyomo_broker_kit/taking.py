"""What a worker takes on in one commit: as many of the oldest new orders as the lanes have room for, and every change that can be made now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from vyomo_broker_kit.limits import SendLimits
from vyomo_broker_kit.rate import SendRate
from vyomo_broker_kit.repeats import Repeats
from vyomo_broker_kit.start_gate import StartGate
from vyomo_broker_kit.updates import update_given_up, update_unsent
from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.writing import Ledger, LedgerTransaction, PendingChange, Step, clear_alert, raise_alert
from vyomo_service_kit.clock import Clock

CLAIMED_PER_ACCOUNT: Final = 16


@dataclass(frozen=True, slots=True)
class Round:
    """What one claim took on: its orders, exits first, and changes. Times of day are the record's."""

    orders: list[Order]
    exits: set[str]
    changes: list[PendingChange]
    asked: float
    """When it was asked for, by the clock that counts suspended time."""
    began: datetime
    """The record's time at or after `asked`."""
    deadline: datetime
    """Every call of the round is over by then."""

    def latest(self, elapsed: float) -> datetime:
        """The latest that the record's clock can show at that moment."""
        return self.began + timedelta(seconds=elapsed - self.asked)


class Taking:
    def __init__(
        self, ledger: Ledger, clock: Clock, limits: SendLimits, repeats: Repeats, gate: StartGate
    ) -> None:
        self._ledger = ledger
        self._gate = gate
        self._clock = clock
        self._limits = limits
        self._repeats = repeats
        self._rate = None if limits.rate is None else SendRate(limits.rate, clock)

    async def take_on(self, account_ids: Sequence[int], asked: float) -> Round:
        """Committed when this returns; `asked` is the present, as `elapsed` tells it."""
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
            limits = self._limits
            deadline = (waiting.at or now) + timedelta(seconds=limits.commit_seconds + limits.total_seconds)
            await self._tell_of_closed_gates(transaction, waiting.orders)
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
        return Round(claimed, waiting.exits, changes, asked, waiting.began or now, deadline)

    def _take(self, orders: Sequence[Order], exits: set[str], in_flight: dict[int, int]) -> list[Order]:
        """As they stand in line: the first of an account that has to wait holds those behind it back.

        Exits stand before entries and find more room, so an entry never holds one back.
        """
        taken: list[Order] = []
        held: set[int] = set()
        for order in orders:
            account_id, room = order.account_id, self._limits.in_flight_per_account
            if account_id in held or not self._gate.is_open(account_id):
                continue
            if order.order_id in exits:
                room += self._limits.more_for_exits
            if (
                in_flight.get(account_id, 0) >= room
                or not self._repeats.may_try(order.order_id)
                or not self._may_send(account_id, is_exit=order.order_id in exits)
            ):
                held.add(account_id)
                continue
            in_flight[account_id] = in_flight.get(account_id, 0) + 1
            taken.append(order)
        return taken

    async def _tell_of_closed_gates(self, transaction: LedgerTransaction, orders: Sequence[Order]) -> None:
        first = {order.account_id: order for order in reversed(orders)}
        for account_id, order in first.items():
            if self._gate.is_open(account_id):
                if self._gate.just_opened(account_id):
                    await clear_alert(
                        transaction.connection, account_id, AlertCode.BOOKS_NOT_READ, str(account_id)
                    )
                continue
            if not self._gate.waits(account_id):
                continue
            alert = Alert(
                account_id=account_id,
                user_id=order.user_id,
                broker=order.broker,
                code=AlertCode.BOOKS_NOT_READ,
                subject=str(account_id),
                message=f"orders wait: {' and '.join(self._gate.missing(account_id))} of the account could not be read since its worker "
                "started; cancellations go all the same",
                raised_at=self._clock.now(),
            )
            await raise_alert(transaction, alert)

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
        if not is_cancel and not self._gate.is_open(order.account_id):
            return False
        return self._repeats.may_try(key_of(change)) and self._may_send(order.account_id, is_cancel=is_cancel)

    def _may_send(self, account_id: int, *, is_cancel: bool = False, is_exit: bool = False) -> bool:
        return self._rate is None or self._rate.take(account_id, is_cancel=is_cancel, is_exit=is_exit)


def key_of(change: PendingChange) -> str:
    """Under which its failures are counted."""
    return f"{change.order.order_id}:{change.action}"
