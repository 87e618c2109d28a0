"""What may overtake what, and what an answer that comes late or twice may still change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest

from vyomo_broker_kit import remote, repeats
from vyomo_broker_kit.outcomes import NotSent, Outcome
from vyomo_broker_kit.port import BookEntry, BrokerPort, FundsEntry, PositionEntry, TradeEntry
from vyomo_broker_kit.remote import RemoteExecutor, SendLimits
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState, PendingAction, TransactionType
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
    monkeypatch.setattr(remote, "RECORD_RETRY_SECONDS", 2.5)  # while the second claim's call is on the wire
    real_write = RemoteExecutor._write  # pyright: ignore[reportPrivateUsage]
    writes = 0

    async def write_and_lose_the_answer(self: RemoteExecutor, answers: Sequence[object]) -> None:
        nonlocal writes
        writes += 1
        await real_write(self, answers)  # pyright: ignore[reportArgumentType]
        if writes == 1:
            raise RecordUnavailableError("the answer to COMMIT was lost")

    monkeypatch.setattr(RemoteExecutor, "_write", write_and_lose_the_answer)
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
    limits = SendLimits(in_flight_per_account=remote.CLAIMED_PER_ACCOUNT)
    hopeless: set[str] = set()

    def placing(order: Order) -> Outcome | None:
        return NotSent("ConnectError") if order.order_id in hopeless else None

    for _ in range(remote.CLAIMED_PER_ACCOUNT):
        hopeless.add((await floor.place()).order_id)
    before: list[Before] = []
    async with floor.working(
        limits=limits, through=lambda port: before.append(Before(port, placing=placing)) or before[0]
    ):
        await eventually(lambda: len(before[0].tried) == 3 * remote.CLAIMED_PER_ACCOUNT, timeout=10)
        order = await floor.place()
        await floor.until(order, OrderState.FILLED, seconds=3)


async def test_cancels_that_wait_for_a_brokers_id_do_not_stand_before_new_orders(floor: Floor) -> None:
    count = remote.CLAIMED_PER_ACCOUNT
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

        await eventually(given_up, timeout=5)
        stored = await floor.world.stored(order.order_id)

    assert stored.state is OrderState.OPEN
    assert (stored.reason_code, stored.reason) == (
        ReasonCode.BROKER_UNREACHABLE,
        "the cancel was not sent: ConnectError",
    )
