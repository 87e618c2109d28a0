"""One run: a folder, the system started in it, floors, every scenario in order, and everything stopped again."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from . import floors, machine, reads, resources, scenarios
from .bench import Bench, Results
from .decoding import decoding
from .errors import BenchError
from .figures import Value, with_ratios
from .folders import own_folder
from .front_door import front_door
from .live_shaped import live_shaped
from .masters import masters
from .record import Record
from .sizes import ACCOUNTS, SYMBOLS, Sizes
from .system import Api, System

Scenario = tuple[str, Callable[[Bench], Awaitable[Results]]]

_IDLE: Scenario = ("idle", resources.idle)
# What the goals name comes first: a run that has to end early leaves out the rest.
_SCENARIOS: Sequence[Scenario] = (
    ("one client", scenarios.accept_alone),
    ("one client, to the fill", scenarios.filled_alone),
    ("64 clients beside the echo", scenarios.filled_beside_echo),
    ("events", scenarios.heard_under_load),
    ("order book", reads.order_book),
    ("positions", reads.positions),
    ("search", reads.search),
    ("ticks", decoding),
    ("instrument master", masters),
    ("live-shaped path", live_shaped),
    ("memory", resources.memory),
    ("8 and 32 clients", scenarios.accept_crowded),
    ("64 clients on one account", scenarios.filled_on_one_account),
    ("256 clients", scenarios.filled_by_many),
    ("front door", front_door),
)

_BEGAN = time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    sizes: Sizes
    folder: Path | None = None
    keep: bool = False
    only: str | None = None
    """Pattern of scenario names."""


async def run(options: Options) -> dict[str, Value]:
    sizes = options.sizes
    results: dict[str, Value] = dict(machine.facts())
    quiet = machine.ProcessorTime.now()
    await asyncio.sleep(sizes.background_seconds)
    results["background_cpu_percent"] = round(machine.ProcessorTime.now().busy_percent_since(quiet), 1)
    async with (
        own_folder("bench-", options.folder, keep=options.keep) as folder,
        _started(folder, sizes) as (system, symbols, starts),
    ):
        results |= starts
        async with _bench(system, symbols, sizes) as bench:
            _say("floors")
            results |= await floors.measure(folder, system.connections(), bench.stub_port, sizes)
            _say("warm-up")
            await scenarios.warm_up(bench)
            results |= await _scenarios(bench, options)
            results["orders_verified"] = bench.orders_verified
    results["instruments"] = sizes.instruments
    results["steal_percent"] = round(machine.ProcessorTime.now().stolen_percent_since(quiet), 1)
    results["run_s"] = round(_elapsed(), 1)
    return with_ratios(results)


async def _scenarios(bench: Bench, options: Options) -> dict[str, Value]:
    """Every scenario, also after one has failed: what is wrong is told beside what could be measured."""
    results: dict[str, Value] = {}
    left_out: list[str] = []
    failed: list[str] = []
    # Idle is best seen before the database has thousands of new rows to tidy, but it takes a fifth of a quick run.
    for name, scenario in (_IDLE, *_SCENARIOS) if bench.sizes.restarts else (*_SCENARIOS, _IDLE):
        if options.only is not None and not re.search(options.only, name):
            continue
        if _elapsed() > bench.sizes.limit_seconds:
            left_out.append(name)
            continue
        _say(name)
        try:
            results |= await scenario(bench)
        except BenchError as error:
            _say(f"FAILED: {error}")
            failed.append(f"{name}: {error}")
    return {**results, "left_out": ", ".join(left_out), "failed": "; ".join(failed)}


@asynccontextmanager
async def _started(folder: Path, sizes: Sizes) -> AsyncGenerator[tuple[System, Sequence[str], Results]]:
    """The system, started cold with nothing there; with `restarts` once more, warm with all instruments loaded."""
    system = System(folder / "state")
    results: Results = {}
    try:
        _say("cold start")
        results["cold_start_s"] = await _first_order(system)
        async with Record.open(system.connections().postgres_url) as record:
            # Before the generated ones are there: the built-in market quotes these, so orders for them are filled.
            symbols = await record.equities(SYMBOLS)
        _say(f"{sizes.instruments:,} instruments")
        await system.load_instruments(sizes.instruments)
        if sizes.restarts:
            await system.down()
            _say("warm start")
            results["warm_start_s"] = await _first_order(system)
        yield system, symbols, results
    finally:
        await asyncio.shield(system.down())


async def _first_order(system: System) -> float:
    """Seconds from the command to the first accepted order."""
    began = time.perf_counter()
    await system.up()
    api = await Api.open(system.target)
    account = await api.create_account(f"BENCH-START-{time.time_ns()}")
    await api.place(account, "RELIANCE")
    api.close()
    return round(time.perf_counter() - began, 2)


@asynccontextmanager
async def _bench(system: System, symbols: Sequence[str], sizes: Sizes) -> AsyncGenerator[Bench]:
    connections = system.connections()
    async with (
        Record.open(connections.postgres_url) as record,
        floors.stub(connections.nats_url) as stub_port,
    ):
        api = await Api.open(system.target)
        accounts = [await api.create_account(f"BENCH-{number}") for number in range(ACCOUNTS)]
        api.close()
        yield Bench(
            system=system, record=record, sizes=sizes, symbols=symbols, accounts=accounts, stub_port=stub_port
        )


def _elapsed() -> float:
    """Seconds since the start of the process."""
    return time.monotonic() - _BEGAN


def _say(what: str) -> None:
    sys.stderr.write(f"  {_elapsed():5.1f} s  {what} ...\n")
    sys.stderr.flush()
