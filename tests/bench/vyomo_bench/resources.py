"""Memory of every process, and what the system uses while nobody asks it for anything."""

import asyncio

from . import machine
from .bench import Bench, Results

_QUIET_SECONDS = 2.0


async def memory(bench: Bench) -> Results:
    by_service = await bench.system.processes()
    used = {
        f"memory_pss_mb_{name.replace('-', '_')}": round(sum(map(machine.proportional_memory_mb, pids)), 1)
        for name, pids in by_service.items()
    }
    return {"memory_pss_mb": round(sum(used.values()), 1), **used}


async def idle(bench: Bench) -> Results:
    """Processor time of all processes of the system with no client connected, in percent of one core."""
    by_service = await bench.system.processes()
    await asyncio.sleep(_QUIET_SECONDS)
    before = {name: machine.used_seconds(pids) for name, pids in by_service.items()}
    await asyncio.sleep(bench.sizes.idle_seconds)
    percents = {
        name: (machine.used_seconds(pids) - before[name]) / bench.sizes.idle_seconds * 100
        for name, pids in by_service.items()
    }
    return {
        "idle_cpu_percent": round(sum(percents.values()), 2),
        **{f"idle_cpu_percent_{name.replace('-', '_')}": round(value, 2) for name, value in percents.items()},
    }
