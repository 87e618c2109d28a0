"""The processes under test: the services' own classes, wired as their `bootstrap` and `worker` do, over the world in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final, cast

from pydantic import SecretStr

from vyomo_broker_kit.book_sync import BookSync
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.lanes import LaneExecutor, Lanes
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.remote import RemoteExecutor
from vyomo_broker_kit.session_watch import SessionWatch
from vyomo_broker_kit.testing import ScriptedBrokerPort
from vyomo_contracts import subjects
from vyomo_contracts.risk import RiskLimits
from vyomo_ledger.instruments import Markets
from vyomo_ledger.writing import Controls, EventPublisher, Halting, Ledger, open_session
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.relay import Relay
from vyomo_ledger.writing.sweeper import Sweeper
from vyomo_order_router.adapters.prices import LastPrices
from vyomo_order_router.adapters.risk import RiskStore
from vyomo_order_router.assessing import Assessing
from vyomo_order_router.bootstrap import order_rates
from vyomo_order_router.changing import OrderChanging
from vyomo_order_router.controlling import Controlling
from vyomo_order_router.doorbell import Doorbell
from vyomo_order_router.loops import EVERY_SECONDS
from vyomo_order_router.placing import OrderPlacing
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_service_kit.record_clock import RecordClock
from vyomo_service_kit.runtime import cancel_and_wait, repeat

from .loop import Process, current_process
from .naive import NaiveExecutor
from .world import BROKER, PARTITIONS, World

SIGN_IN: Final = "sign in"
"""Who signs people in is no part of the order protocol; what it writes is."""
SETTINGS: Final = OrderRouterSettings(
    postgres_url=SecretStr("postgresql://memory"), nats_url=SecretStr("nats://memory"), partitions=PARTITIONS
)
RECONCILE: Final = ReconcileLimits(settle_seconds=8.0)
"""More than this broker ever takes to show an order, as a real broker's settle time must be."""

Main = Callable[[World], Coroutine[Any, Any, None]]


class Running:
    """A process and how to start it again: what a supervisor knows."""

    def __init__(self, world: World, name: str, main: Main) -> None:
        self.name = name
        self._world = world
        self._main = main
        self._starts = 0
        self.process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._starts += 1
        self.process = self._world.loop.process(f"{self.name}.{self._starts}")
        self._task = self.process.spawn(self._main(self._world))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._world.server.end_sessions_of(self.process)

    async def stop(self, limit_seconds: float) -> None:
        """SIGTERM, and SIGKILL for one that does not end."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task], timeout=limit_seconds)
        self.kill()


async def router(world: World) -> None:
    bus, database, clock = world.connection(), world.database(), RecordClock(world.clock_of("router"))
    identifiers = world.identifiers
    publisher = EventPublisher(bus, database, clock, identifiers, source="order-router")
    ledger = Ledger(database, publisher, partitions=PARTITIONS)
    markets = Markets(database, clock)
    doorbell = Doorbell(bus, clock, identifiers, partitions=PARTITIONS)
    defaults = RiskLimits(max_order_value=SETTINGS.max_order_value)
    risk = RiskStore(database, defaults=defaults, rates=order_rates(SETTINGS))
    assessing = Assessing(risk, LastPrices(bus, clock, identifiers), clock)
    placing = OrderPlacing(
        ledger=ledger,
        accounts=risk,
        markets=markets,
        doorbell=doorbell,
        assessing=assessing,
        clock=clock,
        identifiers=identifiers,
        settings=SETTINGS,
    )
    changing = OrderChanging(ledger, markets, doorbell, assessing, clock)
    switched = asyncio.Event()
    controlling = Controlling(Controls(database, publisher), risk, clock, switched)
    halting = Halting(ledger, clock, doorbell.ring)
    holder = identifiers.message_id()
    relay = Relay(database, publisher, Lease(database, name="relay", holder=holder))
    sweeper = Sweeper(ledger, clock, Lease(database, name="sweeper", holder=holder), doorbell.ring)

    async def relay_once() -> None:
        await relay.run_once()

    async def sign_in(asked: list[tuple[int, float]]) -> list[bool]:
        for account_id, seconds in asked:
            async with ledger.transaction() as transaction:
                until = world.clock.now() + timedelta(seconds=seconds)
                await open_session(transaction, account_id, valid_until=until, at=clock.now())
        return [True]

    async with clock.following(database), publisher.running():
        process = _this()
        world.bus.serve(process, SIGN_IN, sign_in)
        world.bus.serve(process, subjects.PLACE_ORDERS, placing.place)
        world.bus.serve(process, subjects.CANCEL_ORDERS, changing.cancel)
        world.bus.serve(process, subjects.MODIFY_ORDERS, changing.modify)
        world.bus.serve(process, subjects.SWITCH_TRADING, controlling.switch)
        await _repeating(
            (relay_once, 1.0, "relay", None),
            (sweeper.run_once, 1.0, "sweeper", None),
            (halting.run_once, EVERY_SECONDS, "halting", switched),
        )


def worker(number: int, workers: int, *, naive: bool = False) -> Main:
    """The worker of every `workers`th partition."""
    owned = frozenset(range(number, PARTITIONS, workers))

    async def main(world: World) -> None:
        bus, database, clock = world.connection(), world.database(), RecordClock(world.clock_of("worker"))
        publisher = EventPublisher(bus, database, clock, world.identifiers, source=f"worker-{BROKER}")
        ledger = Ledger(database, publisher, partitions=PARTITIONS)
        port = ScriptedBrokerPort(cast("OrderTransport", world.broker), clock)
        book = BookSync(
            ledger, port, clock, broker=BROKER, partitions=PARTITIONS, owned=owned, limits=RECONCILE
        )
        opened: list[Lanes] = []

        def ring(account_ids: Iterable[int]) -> None:
            for lanes in opened:
                lanes.ring(account_ids)

        sessions = SessionWatch(ledger, clock, broker=BROKER, partitions=PARTITIONS, owned=owned)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(clock.following(database))
            await stack.enter_async_context(book.running())
            await stack.enter_async_context(sessions.running())
            executor: LaneExecutor
            if naive:
                executor = NaiveExecutor(ledger, port, clock, look=book.look)
            else:
                executor = remote = RemoteExecutor(
                    ledger, port, clock, limits=SendLimits(), ring=ring, look=book.look
                )
                await stack.enter_async_context(remote.running())
            lanes = Lanes(database, executor, broker=BROKER, partitions=PARTITIONS, owned=owned)
            world.bus.listen_for_bells(_this(), lanes.ring)
            await stack.enter_async_context(publisher.running())
            await stack.enter_async_context(lanes.running())
            opened.append(lanes)
            await asyncio.Event().wait()

    return main


def _this() -> Process:
    process = current_process()
    assert process is not None
    return process


async def _repeating(*loops: tuple[Callable[[], Awaitable[None]], float, str, asyncio.Event | None]) -> None:
    tasks = [
        asyncio.create_task(repeat(action, every_seconds=seconds, name=name, wake=wake))
        for action, seconds, name, wake in loops
    ]
    try:
        await asyncio.Event().wait()
    finally:
        await cancel_and_wait(*tasks)
