"""One run: a world in a folder, some calm, faults under load, quiet, and the verdict."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vyomo_bench.folders import own_folder

from . import lag
from .echoes import Echoes
from .faults import FREEZE_SECONDS, Chaos
from .load import Clients
from .repeating import Repeaters
from .switching import Switcher
from .verdict import Results, Witnesses, percentiles, verdict
from .world import BOOK_SECONDS, World, running_world

SWITCH_EVERY_SECONDS: Final = 6.0
"""On average, while faults strike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seconds: float
    seed: int
    orders_per_second: float
    fault_every_seconds: float
    freeze_seconds: float = FREEZE_SECONDS
    repeats: int = 0
    """Calls with repeated idempotency keys."""
    switches: int = 40
    """Kill switches thrown in the calm before the faults, to be timed."""
    folder: Path | None = None
    keep: bool = False


async def run(options: Options) -> Results:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(own_folder("chaos-", options.folder, keep=options.keep))
        _say("starting")
        world = await stack.enter_async_context(
            running_world(
                folder,
                seed=options.seed,
                orders_per_second=options.orders_per_second,
                fault_every_seconds=options.fault_every_seconds,
            )
        )
        witnesses = await _witnesses(world, options, stack)
        async with lag.measured() as late:
            await _break(world, witnesses, options)
        _say("quiet: everything must end")
        results = await verdict(world, witnesses)
    told = {"seed": options.seed, "seconds": options.seconds}
    starved = percentiles("harness_late", "ms", late, digits=1)
    return {**told, **results, **starved, "run_s": _since(began)}


async def _witnesses(world: World, options: Options, stack: AsyncExitStack) -> Witnesses:
    key, accounts = world.system.target.key, world.accounts
    clients = Clients(world.url, key, [*accounts.promised, *accounts.control], world.price, options.seed)
    stack.push_async_callback(clients.close)
    switcher = Switcher(world.url, key, accounts.real, options.seed)
    stack.push_async_callback(switcher.close)
    return Witnesses(
        clients=clients,
        switcher=switcher,
        repeaters=Repeaters(world.system.target, accounts.paper, world.price, options.seed),
        echoes=await stack.enter_async_context(Echoes(world.nats_url, options.seed).running()),
        chaos=Chaos(
            processes=world.processes,
            links=world.links,
            accounts=accounts.real,
            steer=world.broker.steer,
            frozen=clients.freeze,
            seed=options.seed,
            every_seconds=options.fault_every_seconds,
            freeze_seconds=options.freeze_seconds,
        ),
    )


async def _break(world: World, witnesses: Witnesses, options: Options) -> None:
    chaos, clients, strikes = witnesses.chaos, witnesses.clients, world.strikes
    await world.broker.steer(
        {"mix": {"seed": options.seed}, "book_seconds": BOOK_SECONDS + options.freeze_seconds}
    )
    watching = asyncio.create_task(strikes.watch())
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(clients.run(options.orders_per_second))
            if options.switches:
                _say(f"calm: {options.switches} kill switches among orders")
                await witnesses.switcher.calm(options.switches)
            _say(f"faults for {options.seconds:g} s, seed {options.seed}")
            strikes.arm()
            if options.repeats:
                tasks.create_task(witnesses.repeaters.run(options.repeats))
            tasks.create_task(witnesses.switcher.stormy(options.seconds, SWITCH_EVERY_SECONDS))
            await chaos.run(options.seconds)
            strikes.disarm()
            witnesses.repeaters.faults_over = True
            clients.finish()
            await chaos.end()
    finally:
        strikes.disarm()
        watching.cancel()
        await asyncio.wait({watching})
        strikes.read()
        world.processes.resume_all()


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)


def _say(what: str) -> None:
    sys.stderr.write(f"  {time.monotonic() - _BEGAN:5.1f} s  {what} ...\n")
    sys.stderr.flush()


_BEGAN: Final = time.monotonic()
