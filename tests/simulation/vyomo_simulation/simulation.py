"""One seed: a world, its processes and clients among faults, quiet, then the checks."""

import asyncio
import sys
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from logging import ERROR
from random import Random
from typing import Any, Final

import structlog
from asyncpg.exceptions import LockNotAvailableError

from vyomo_contracts.alerts import AlertCode
from vyomo_service_kit.errors import UnavailableError

from .checks import Findings, check, unsettled
from .clients import Clients
from .faults import FaultCounts, Faults
from .loop import StuckError
from .processes import Running, router, worker
from .server import Counts
from .sessions import SessionLife
from .world import World

ORDERS_PER_SECOND: Final = 60
ACCOUNTS: Final = (4, 10, 10)
ROUTERS: Final = 2
WORKERS: Final = 2
WEATHER: Final = (UnavailableError, LockNotAvailableError)
"""What is no mistake of the code, wherever it turns up."""
LIVENESS_SECONDS: Final = 60.0
"""When faults have stopped, everything must be settled within this."""


@dataclass
class Outcome:
    seed: int
    orders: int
    findings: Findings
    history: str
    virtual_seconds: float
    faults: FaultCounts
    record: Counts
    unknown_outcomes: int
    wipes: int
    promised: int
    sent: int
    switches: int
    elsewhere: int
    sessions_ended: int
    cpu_seconds: float = 0.0
    """Of the process that ran it; not part of what happened."""
    lines: list[str] = field(default_factory=list[str])

    @property
    def is_sound(self) -> bool:
        return not self.findings.all


def simulate(seed: int, orders: int, *, naive: bool = False, keep_history: bool = False) -> Outcome:
    world = World(seed, accounts=Random(f"accounts {seed}").choice(ACCOUNTS), keep_history=keep_history)
    clients, sessions = Clients(world), SessionLife(world)
    errors: list[str] = []
    processes = [Running(world, f"router-{number}", router) for number in range(ROUTERS)]
    processes += [
        Running(world, f"worker-{number}", worker(number, WORKERS, naive=naive)) for number in range(WORKERS)
    ]
    faults = Faults(world, processes)
    with _listening_for_errors(world, errors):
        try:
            world.loop.run(_live(clients, sessions, processes, faults, orders))
        except StuckError:
            errors.append("nothing was left that could ever happen")
    findings = check(world, clients, in_order=not naive)
    findings.other.extend(errors)
    findings.other.extend(repr(error) for error in world.loop.unheard if not isinstance(error, WEATHER))
    for events in world.record.events.values():
        for event in events:
            world.history.note(event["sequence"], event["type"], event["body"])
    return Outcome(
        seed=seed,
        orders=orders,
        findings=findings,
        history=world.history.digest,
        virtual_seconds=world.loop.time(),
        faults=faults.counts,
        record=world.server.counts,
        unknown_outcomes=world.broker.unknown_outcomes,
        wipes=world.bus.wipes,
        promised=len(clients.promises),
        sent=len(world.broker.sends),
        switches=clients.switches,
        sessions_ended=sessions.ended,
        elsewhere=sum(placed.tag is None for placed in world.broker.orders.values()),
        lines=world.history.lines or [],
    )


async def _live(
    clients: Clients, sessions: SessionLife, processes: list[Running], faults: Faults, orders: int
) -> None:
    world = clients.world
    for process in processes:
        process.start()
    random = world.random("arrivals")
    failing = asyncio.create_task(faults.go_on())
    acts = (clients.throw_switches(), clients.trade_elsewhere(), sessions.go_on())
    owner = [asyncio.create_task(act) for act in acts]
    placing: list[asyncio.Task[None]] = []
    for number in range(orders):
        await asyncio.sleep(random.expovariate(ORDERS_PER_SECOND))
        placing.append(asyncio.create_task(clients.place_one(number)))
    await asyncio.sleep(2)
    failing.cancel()
    for acting in owner:
        acting.cancel()
    await faults.end()
    signing_in = asyncio.create_task(sessions.keep_signed_in())
    await asyncio.wait(placing)
    for client in placing:
        client.result()
    ended_at = world.loop.time()
    while any(unsettled(world)) and world.loop.time() < ended_at + LIVENESS_SECONDS:
        await asyncio.sleep(1)
    signing_in.cancel()


@contextmanager
def _listening_for_errors(world: World, errors: list[str]) -> Generator[None]:
    """What the code itself calls an error is one here; what it warns of is the weather, and so is a session that ends."""

    def hear(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        error = event.get("exc_info")
        if event.get("code") is AlertCode.SESSION_EXPIRED:
            pass
        elif isinstance(error, BaseException) and not isinstance(error, WEATHER):
            errors.append(f"{event['event']}: {error!r}")
        elif error is None:
            errors.append(f"{event['event']}: {event}")
        world.history.note("error", event["event"])
        raise structlog.DropEvent

    _forget_loggers()
    before = structlog.get_config()
    structlog.configure(
        processors=[_with_exception, hear],
        wrapper_class=structlog.make_filtering_bound_logger(ERROR),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _forget_loggers() -> None:
    """A service that ran in this process before may have fixed its modules' loggers; they would not be heard here."""
    for module in tuple(sys.modules.values()):
        logger = vars(module).get("log")
        if isinstance(logger, type(structlog.get_logger())):
            vars(logger).pop("bind", None)


def _with_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event.get("exc_info") is True:
        event["exc_info"] = sys.exception()
    return event
