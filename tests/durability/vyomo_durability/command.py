"""The command line of the durability run."""

import argparse
import asyncio
import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from . import report
from .disks import ForbiddenError, leave_for_a_namespace_of_our_own, removed_when_we_are_gone
from .full_disks import fill_nats, fill_postgres
from .power_cuts import cut_nats, cut_postgres

PARTS: Final = ("postgresql", "nats", "postgresql-full", "nats-full")
EXIT_FAILED: Final = 1
EXIT_FORBIDDEN: Final = 77
"""Nothing was tested, because the machine does not let us."""
_EXIT_STOPPED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # Tasks of clients whose server is no more: what they say is what was asked for.
    for name in ("asyncio", "asyncpg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix="vyomo-durability-", dir=chosen.folder)).resolve()
    if not chosen.keep:
        removed_when_we_are_gone(folder)
    try:
        leave_for_a_namespace_of_our_own()
        results = asyncio.run(_run(folder, chosen.only or PARTS, chosen.cuts, chosen.seed))
    except ForbiddenError as error:
        sys.stderr.write(f"NOT TESTED: power cuts and full disks. This machine does not allow it: {error}\n")
        return EXIT_FORBIDDEN
    except KeyboardInterrupt:
        sys.stderr.write("durability stopped\n")
        return _EXIT_STOPPED
    finally:
        if chosen.keep:
            sys.stderr.write(f"logs are in {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write((report.as_json if chosen.json else report.as_table)(results) + "\n")
    return EXIT_FAILED if report.violations(results) else 0


async def _run(folder: Path, parts: Sequence[str], cuts: int, seed: int) -> dict[str, Any]:
    started_at = time.monotonic()
    results: dict[str, Any] = {"seed": seed}
    for part in parts:
        chance = random.Random(f"{seed} {part}")
        match part:
            case "postgresql":
                found = asdict(await cut_postgres(folder, cuts, chance))
                del found["unsynced_events_lost"]
            case "nats":
                found = asdict(await cut_nats(folder, cuts, chance))
            case "postgresql-full":
                found = asdict(await fill_postgres(folder, chance))
            case _:
                found = asdict(await fill_nats(folder))
        results |= {f"{part.replace('-', '_')}_{key}": value for key, value in found.items()}
    return results | {"seconds": round(time.monotonic() - started_at, 1)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vyomo durability",
        description="Cut the power under PostgreSQL and NATS while orders and messages are written, start them on what the disk held, "
        "and look for everything that was acknowledged; then fill their disks. Needs root on Linux and loop devices; ends with "
        f"{EXIT_FORBIDDEN} where they are refused, and with {EXIT_FAILED} when a promise was broken.",
        epilog="example: ./vyomo durability --cuts 20",
    )
    parser.add_argument(
        "--cuts", type=_at_least_one, default=3, metavar="N", help="of each server's power (default: 3)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="S", help="of the moments and the lists (default: 1)"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"one of {', '.join(PARTS)}; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the images go meanwhile; 2 GB at most"
    )
    parser.add_argument("--keep", action="store_true", help="leave the logs for a look")
    return parser


def _at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
