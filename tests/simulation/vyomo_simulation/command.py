"""The command line of the simulation."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import campaign, report
from .simulation import simulate

_EXIT_FAILED = 1
ORDERS_PER_SEED = 200


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    if chosen.trace is not None:
        outcome = simulate(chosen.seed, min(chosen.orders, ORDERS_PER_SEED), keep_history=True)
        chosen.trace.write_text("\n".join(outcome.lines) + "\n", encoding="utf-8")
    result = campaign.run(
        orders=chosen.orders, first_seed=chosen.seed, per_seed=ORDERS_PER_SEED, jobs=chosen.jobs
    )
    sys.stdout.write((report.as_json if chosen.json else report.as_text)(result) + "\n")
    return _EXIT_FAILED if result.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./vyomo simulate",
        description="Run the order protocol's real code on virtual time among faults drawn from seeds, "
        f"{ORDERS_PER_SEED} orders a seed, and check every promise. The same seed is the same history.",
    )
    parser.add_argument("--orders", type=_positive, default=20_000, metavar="N", help="default: 20000")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the first seed (default: 1)")
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        metavar="J",
        help="processes that run seeds side by side; the results are the same (default: one a core)",
    )
    parser.add_argument("--json", action="store_true", help="print one flat JSON object")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write the first seed's history there")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number
