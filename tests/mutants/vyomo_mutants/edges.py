"""What the edges must hold: a doorbell outlives its handler's failures and a wiped store, and a call to a broker is one call."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from vyomo_broker_kit.doorbell import register_doorbell
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.outcomes import Unknown
from vyomo_broker_kit.rate import SendRate
from vyomo_broker_kit.testing import Behaviour, ScriptedBroker, ScriptedBrokerPort
from vyomo_contracts.capabilities import CAPABILITIES
from vyomo_contracts.testing import sample_order
from vyomo_contracts.topology import DOORBELLS, worker_consumer
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.sweeper import Sweeper
from vyomo_order_router.doorbell import Doorbell
from vyomo_service_kit.bus import Bus, declare_topology
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.identifiers import TimeOrderedIdentifiers
from vyomo_service_kit.testing import eventually

from .stage import Stage, utc

_FENCE = 0
_CONSUMER = worker_consumer("paper", 0)


@asynccontextmanager
async def worker(nats_url: str, ring: Callable[[Iterable[int]], None]) -> AsyncGenerator[Bus]:
    """A paper worker's ear, registered as the worker registers it."""
    bus = Bus(nats_url, name="worker", retry_delays_seconds=(0.01,))
    register_doorbell(bus.broker, broker="paper", owned=[0], ring=ring)
    await bus.connect()
    await declare_topology(bus.stored, (_CONSUMER,))
    async with bus.open():
        yield bus


async def is_settled(bus: Bus) -> bool:
    """Every doorbell is done with, one way or another: nothing will be delivered any more."""
    state = await bus.stored.consumer_info(_CONSUMER.stream, _CONSUMER.durable_name)
    return (state.num_pending, state.num_ack_pending) == (0, 0)


async def deliveries_until_heard(nats_url: str, *, failures: int) -> tuple[int, list[int]]:
    """How often a doorbell came to a worker that fails so often, and the accounts it rang for in the end."""
    deliveries, heard = 0, list[int]()

    def ring(account_ids: Iterable[int]) -> None:
        nonlocal deliveries
        deliveries += 1
        if deliveries <= failures:
            raise RuntimeError(f"failure {deliveries}")
        heard.extend(account_ids)

    async with worker(nats_url, ring) as bus:
        await doorbell_of(bus).ring("paper", [7])
        await eventually(lambda: deliveries > 0)
        await eventually(lambda: is_settled(bus))
    return deliveries, heard


async def doorbell_outlives_a_failure_of_its_handler(nats_url: str) -> None:
    assert await deliveries_until_heard(nats_url, failures=1) == (2, [7])


async def doorbell_is_not_dropped_for_having_come_too_often(nats_url: str) -> None:
    assert await deliveries_until_heard(nats_url, failures=5) == (6, [7])


async def sweeper_rings_again_for_what_a_wiped_store_forgot(stage: Stage, nats_url: str) -> None:
    heard: list[int] = []
    async with worker(nats_url, heard.extend) as bus:
        await stage.accepted("O1", created_at=utc(-30))
        await bus.stored.delete_stream(DOORBELLS.name)
        await declare_topology(bus.stored, (_CONSUMER,))
        lease = Lease(stage.database, name="sweeper", holder="a")
        await Sweeper(stage.ledger, stage.clock, lease, doorbell_of(bus).ring).run_once()
        # Whatever the sweeper rang has been heard when this is.
        await doorbell_of(bus).ring("paper", [_FENCE])
        await eventually(lambda: _FENCE in heard)

    assert heard == [stage.accounts[0], _FENCE]


def doorbell_of(bus: Bus) -> Doorbell:
    clock = SystemClock()
    return Doorbell(bus, clock, TimeOrderedIdentifiers(clock), partitions=1)


async def call_that_is_redirected_is_made_once() -> None:
    outcome, calls = await placing(Behaviour(placing="redirect"))

    assert len(calls) == 1
    assert isinstance(outcome, Unknown)


async def timed_out_is_no_refusal() -> None:
    outcome, _ = await placing(Behaviour(placing="timed_out_text"))

    assert isinstance(outcome, Unknown)


async def placing(behaviour: Behaviour) -> tuple[object, list[tuple[str, str]]]:
    """What a worker makes of one placing, over HTTP, and the calls the broker saw."""
    broker = ScriptedBroker(default=behaviour)
    async with broker.serving(), OrderTransport(broker.url, total_seconds=5) as transport:
        port = ScriptedBrokerPort(transport, SystemClock())
        outcome = await port.place(sample_order(OrderState.SUBMITTING))
        return outcome, list(broker.calls)


async def entries_leave_room_for_cancellations() -> None:
    class StillClock:
        def now(self) -> datetime:
            return datetime(2026, 3, 2, tzinfo=UTC)

        def elapsed(self) -> float:
            return 0.0

    limits = CAPABILITIES[Broker.ZERODHA].order_rate
    rate = SendRate(limits, StillClock())
    while rate.take(1):
        pass

    assert [rate.take(1, is_cancel=True) for _ in range(3)] == [True, True, False]
