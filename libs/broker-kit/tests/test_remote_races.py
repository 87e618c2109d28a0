"""What may overtake what, and what an answer that comes late or twice may still change."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from vyomo_broker_kit import recording, repeats, taking, worker
from vyomo_broker_kit.limits import SendLimits
from vyomo_broker_kit.outcomes import NotSent, Outcome
from vyomo_broker_kit.port import BookEntry, BrokerPort, FundsEntry, PositionEntry, TradeEntry
from vyomo_broker_kit.recording import Answers
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction, TransactionType
from vyomo_ledger.writing import LedgerTransaction
from vyomo_ledger.writing.publishing import Publication
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.testing import eventually


@dataclass
class Before:
    """A port in front of another: a call goes through unless the test answers it here."""

    port: BrokerPort
    placing: Callable[[Order], Outcome | None] = lambda _: None
    modifying: Callable[[], Awaitable[Outcome]] | None = None
    cancelling: Outcome | None = None
    tried: list[str] = field(default_factory=list[str])

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        self.tried.append(order.broker_tag)
        return self.placing(order) or await self.port.place(order, urgent=urgent)

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        return await (self.modifying() if self.modifying else self.port.modify(order, changes))

    async def cancel(self, order: Order) -> Outcome:
        return self.cancelling or await self.port.cancel(order)

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        return await self.port.order_book(account_id)

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        return await self.port.trades(account_id)

    async def positions(self, account_id: int) -> Sequence[PositionEntry]:
        return await self.port.positions(account_id)

    async def funds(self, account_id: int) -> FundsEntry:
        return await self.port.funds(account_id)


def unreachable_for(tries: int) -> Callable[[Order], Outcome | None]:
    left = iter(range(tries))
    return lambda _: None if next(left, None) is None else NotSent("ConnectError")


async def test_not_sent_that_is_recorded_twice_does_not_free_the_next_claim(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor.broker.script(Behaviour(delay_seconds=3))
    monkeypatch.setattr(
        recording, "RECORD_RETRY_SECONDS", 2.5
    )  # while the second claim's call is on the wire
    real_write = Answers._write  # pyright: ignore[reportPrivateUsage]
    writes = 0

    async def write_and_lose_the_answer(self: Answers, given: Sequence[object]) -> None:
        nonlocal writes
        writes += 1
        await real_write(self, given)  # pyright: ignore[reportArgumentType]
        if writes == 1:
            raise RecordUnavailableError("the answer to COMMIT was lost")

    monkeypatch.setattr(Answers, "_write", write_and_lose_the_answer)
    async with floor.working(through=lambda port: Before(port, placing=unreachable_for(1))):
        order = await floor.place()
        await floor.until(order, OrderState.FILLED, seconds=15)

    assert writes >= 3
    assert floor.broker.calls == [("POST", order.broker_tag)]
    assert (await floor.event_types(order)).count("order.submitting") == 2


async def test_outcome_outlives_a_row_that_somebody_holds(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="refuse", delay_seconds=0.5))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.SUBMITTING)
        async with floor.world.ledger.transaction() as transaction:
            await transaction.lock([(floor.account, order.order_id)])
            await asyncio.sleep(3.5)  # longer than anybody waits for a lock
        stored = await floor.until(order, OrderState.REJECTED)

    assert stored.reason_code is ReasonCode.BROKER_REFUSED


async def test_port_that_fails_leaves_an_unknown_outcome_and_no_second_call(floor: Floor) -> None:
    def fail(order: Order) -> Outcome:
        raise KeyError(order.symbol)

    before: list[Before] = []
    async with floor.working(through=lambda port: before.append(Before(port, placing=fail)) or before[0]):
        order = await floor.place()
        stored = await floor.until(order, OrderState.UNCONFIRMED)
        await asyncio.sleep(1.2)  # two looks into the record

    assert stored.reason_code is ReasonCode.OUTCOME_UNKNOWN
    assert before[0].tried == [order.broker_tag]


async def test_order_that_reduces_a_position_passes_hung_entries_and_those_that_wait(floor: Floor) -> None:
    floor.broker.venue.overnight[floor.account, "RELIANCE"] = 10
    async with floor.world.database.connection() as connection:
        await connection.execute(
            "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price,"
            " version, updated_at) VALUES ($1, 'asha', 'zerodha', 'NSE', 'RELIANCE', 'MIS', 10, 250, 1, now())",
            floor.account,
        )
    floor.broker.script(*[Behaviour(delay_seconds=4)] * 2)
    sell = {"transaction_type": TransactionType.SELL}
    async with floor.working():
        hung = [await floor.place(), await floor.place()]
        for order in hung:
            await floor.until(order, OrderState.SUBMITTING)
        waiting = [await floor.place() for _ in range(20)]
        too_much = await floor.place(quantity=11, **sell)
        way_out = await floor.place(quantity=10, **sell)
        await floor.until(way_out, OrderState.FILLED, seconds=2)

        for order in (*waiting, too_much):
            assert (await floor.world.stored(order.order_id)).state is OrderState.NEW
        for order in hung:
            assert (await floor.world.stored(order.order_id)).state is OrderState.SUBMITTING


async def test_order_that_could_not_be_sent_is_not_overtaken_by_a_younger_one(floor: Floor) -> None:
    orders = [await floor.place() for _ in range(3)]
    limits = SendLimits(in_flight_per_account=1)
    async with floor.working(limits=limits, through=lambda port: Before(port, placing=unreachable_for(1))):
        for order in orders:
            await floor.until(order, OrderState.FILLED)

    assert floor.broker.calls == [("POST", order.broker_tag) for order in orders]


async def test_orders_given_up_do_not_stand_before_those_that_can_go(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "PAUSES_SECONDS", (0.05, 0.05))
    limits = SendLimits(in_flight_per_account=taking.CLAIMED_PER_ACCOUNT)
    hopeless: set[str] = set()

    def placing(order: Order) -> Outcome | None:
        return NotSent("ConnectError") if order.order_id in hopeless else None

    for _ in range(taking.CLAIMED_PER_ACCOUNT):
        hopeless.add((await floor.place()).order_id)
    before: list[Before] = []
    async with floor.working(
        limits=limits, through=lambda port: before.append(Before(port, placing=placing)) or before[0]
    ):
        await eventually(lambda: len(before[0].tried) == 3 * taking.CLAIMED_PER_ACCOUNT, timeout=10)
        order = await floor.place()
        await floor.until(order, OrderState.FILLED, seconds=3)


async def test_cancels_that_wait_for_a_brokers_id_do_not_stand_before_new_orders(floor: Floor) -> None:
    count = taking.CLAIMED_PER_ACCOUNT
    floor.broker.script(*[Behaviour(placing="drop_before")] * count)
    async with floor.working(limits=SendLimits(in_flight_per_account=count)):
        lost = [await floor.place() for _ in range(count)]
        for order in lost:
            await floor.until(order, OrderState.UNCONFIRMED)
            await floor.ask(order, PendingAction.CANCEL)
        order = await floor.place()
        await floor.until(order, OrderState.FILLED, seconds=3)


async def test_order_that_expires_while_its_claim_waits_is_not_sent(floor: Floor) -> None:
    async with floor.working(limits=SendLimits(stale_claim_seconds=5)):
        async with floor.world.ledger.transaction() as transaction:
            await transaction.claim([floor.account], per_account=1)  # the lane is held
            order = await floor.place(expires_at=floor.world.clock.now() + timedelta(seconds=0.4))
            await asyncio.sleep(0.8)

        async def came_back() -> bool:
            return "order.new" in await floor.event_types(order)

        await eventually(came_back)

    assert floor.broker.calls == []


async def test_cancellation_that_overtook_a_modification_is_sent_once(floor: Floor) -> None:
    floor.broker.script(Behaviour(fills=()))
    floor.broker.cancel_delay_seconds = 1.5
    is_cancelling = asyncio.Event()

    async def not_sent_in_the_end() -> Outcome:
        await is_cancelling.wait()
        return NotSent("PoolTimeout")

    async with floor.working(through=lambda port: Before(port, modifying=not_sent_in_the_end)):
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        await floor.ask(order, PendingAction.MODIFY, OrderModification(price=Decimal("251.05")))
        await asyncio.sleep(0.3)
        await floor.ask(order, PendingAction.CANCEL)
        await eventually(lambda: ("DELETE", "B000000001") in floor.broker.calls)
        is_cancelling.set()
        stored = await floor.until(order, OrderState.CANCELLED)

    assert [call for call, _ in floor.broker.calls] == ["POST", "DELETE"]
    assert (stored.reason_code, stored.reason) == (ReasonCode.USER_CANCELLED, "changed my mind")


async def test_cancel_that_cannot_be_sent_is_given_up_and_does_not_blame_the_broker(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "PAUSES_SECONDS", (0.05, 0.05))
    floor.broker.script(Behaviour(fills=()))
    async with floor.working(through=lambda port: Before(port, cancelling=NotSent("ConnectError"))):
        order = await floor.place()
        await floor.until(order, OrderState.OPEN)
        await floor.ask(order, PendingAction.CANCEL)

        async def given_up() -> bool:
            return (await floor.world.stored(order.order_id)).pending_action is None

        await eventually(given_up)
        stored = await floor.world.stored(order.order_id)

    assert stored.state is OrderState.OPEN
    assert (stored.reason_code, stored.reason) == (
        ReasonCode.BROKER_UNREACHABLE,
        "the cancel was not sent: ConnectError",
    )


class AheadClock(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(seconds=20)


async def test_worker_whose_clock_is_ahead_sends_what_has_not_expired_by_the_record(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SystemClock", AheadClock)
    async with floor.working():
        order = await floor.place(expires_at=floor.world.clock.now() + timedelta(seconds=5))
        stored = await floor.until(order, OrderState.FILLED, seconds=3)

    assert stored.updated_at - stored.created_at < timedelta(seconds=4)
    assert len(floor.broker.calls) == 1


async def test_commit_that_takes_long_is_no_suspension(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    real_flush = LedgerTransaction.flush

    async def flush_slowly(self: LedgerTransaction) -> list[Publication]:
        written = await real_flush(self)
        await asyncio.sleep(0.8)
        return written

    async with floor.working():
        order = await floor.place()
        monkeypatch.setattr(LedgerTransaction, "flush", flush_slowly)
        await floor.until(order, OrderState.FILLED)

    assert "order.new" not in await floor.event_types(order)


async def test_process_that_was_stopped_between_claim_and_call_does_not_call(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_flush, stops = LedgerTransaction.flush, [0.7]

    async def flush_and_stop(self: LedgerTransaction) -> list[Publication]:
        written = await real_flush(self)
        if stops:
            time.sleep(stops.pop())
        return written

    async with floor.working():
        order = await floor.place()
        monkeypatch.setattr(LedgerTransaction, "flush", flush_and_stop)
        await floor.until(order, OrderState.FILLED)

    assert "order.new" in await floor.event_types(order)
    assert len(floor.broker.calls) == 1


async def test_order_whose_connection_was_refused_goes_at_once_when_the_broker_answers_another(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "PAUSES_SECONDS", (30.0, 30.0))
    orders = [await floor.place() for _ in range(4)]

    def placing(order: Order) -> Outcome | None:
        first = order.order_id == orders[0].order_id and before[0].tried.count(order.broker_tag) == 1
        return NotSent("ConnectError") if first else None

    before: list[Before] = []
    floor.broker.script(Behaviour(answer_delay_seconds=0.3))
    async with floor.working(through=lambda port: before.append(Before(port, placing=placing)) or before[0]):
        for order in orders:
            await floor.until(order, OrderState.FILLED, seconds=3)

    tags = [order.broker_tag for order in orders]
    assert floor.broker.calls == [("POST", tags[each]) for each in (1, 0, 2, 3)]
