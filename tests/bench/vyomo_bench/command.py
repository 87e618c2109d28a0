"""The command line of the bench."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from . import report, session
from .errors import BenchError
from .figures import Value
from .sizes import FULL, QUICK

_EXIT_FAILED = 1
_EXIT_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    options = session.Options(
        sizes=QUICK if chosen.quick else FULL, folder=chosen.folder, keep=chosen.keep, only=chosen.only
    )
    try:
        results = asyncio.run(_interruptible(session.run(options)))
    except BenchError as error:
        sys.stderr.write(f"bench failed: {error}\n")
        return _EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("bench stopped\n")
        return _EXIT_STOPPED
    sys.stdout.write((report.as_json if chosen.json else report.as_table)(results) + "\n")
    if chosen.markdown is not None:
        chosen.markdown.write_text(report.as_markdown(results), encoding="utf-8")
    return _EXIT_FAILED if results["failed"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./vyomo bench",
        description="Measure a system of its own: started in a temporary folder, loaded, verified, stopped.",
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument(
        "--quick", action="store_true", help="short windows, fewer instruments, no restart; ends within 40 s"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as a page, too")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the temporary data goes (default: the state folder)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the data and logs for a look")
    parser.add_argument("--only", metavar="PATTERN", help="only scenarios whose name it matches")
    return parser


async def _interruptible(run: Coroutine[Any, Any, dict[str, Value]]) -> dict[str, Value]:
    """SIGTERM ends the run as Ctrl-C does: whatever was started is stopped."""
    task = asyncio.create_task(run)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task
