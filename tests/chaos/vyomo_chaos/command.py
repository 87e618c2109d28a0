"""The command line of the chaos run."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from vyomo_bench.errors import BenchError

from . import report, session
from .faults import FREEZE_SECONDS

_EXIT_FAILED = 1
_EXIT_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    options = session.Options(
        seconds=chosen.minutes * 60,
        seed=chosen.seed,
        orders_per_second=chosen.rate,
        fault_every_seconds=chosen.every,
        freeze_seconds=chosen.freeze,
        repeats=chosen.repeats,
        switches=chosen.switches,
        folder=chosen.folder,
        keep=chosen.keep,
    )
    try:
        results = asyncio.run(_interruptible(session.run(options)))
    except BenchError as error:
        sys.stderr.write(f"chaos failed: {error}\n")
        return _EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("chaos stopped\n")
        return _EXIT_STOPPED
    sys.stdout.write((report.as_json if chosen.json else report.as_table)(results) + "\n")
    return _EXIT_FAILED if report.violations(results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vyomo chaos",
        description="Start a system in a temporary folder with a broker that misbehaves, kill and pause its processes under "
        "load, then check the record against what the broker really holds. Ends with 1 when a promise was broken.",
        epilog="example: ./vyomo chaos --minutes 3 --seed 7",
    )
    parser.add_argument("--minutes", type=_positive, default=3.0, metavar="M", help="of faults (default: 3)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of faults and orders (default: 1)")
    parser.add_argument(
        "--rate", type=_positive, default=20.0, metavar="N", help="orders a second (default: 20)"
    )
    parser.add_argument(
        "--every",
        type=_positive,
        default=2.0,
        metavar="SECONDS",
        help="between faults, on average (default: 2)",
    )
    parser.add_argument(
        "--freeze",
        type=_not_negative,
        default=FREEZE_SECONDS,
        metavar="SECONDS",
        help=f"that everything stands still for once, in the middle and on top of the minutes; 0 for never "
        f"(default: {FREEZE_SECONDS:g})",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=0,
        metavar="N",
        help="calls that repeat idempotency keys from 50 clients while processes die (default: none)",
    )
    parser.add_argument(
        "--switches",
        type=int,
        default=40,
        metavar="N",
        help="kill switches thrown and timed among orders before the faults; among faults there are more (default: 40)",
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the system's data goes meanwhile")
    parser.add_argument("--keep", action="store_true", help="leave the data and logs for a look")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be below 0")
    return value


async def _interruptible(work: Coroutine[Any, Any, session.Results]) -> session.Results:
    """Ctrl-C and SIGTERM cancel the run, which then stops everything it started."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
