"""Fill `market.instruments` with invented instruments, to see how the system carries a full market.

python -m vyomo_paper_exchange.generate --count 100000 --postgres URL
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime

from vyomo_paper_exchange.adapters.catalogue import COLUMNS, instrument_row
from vyomo_paper_exchange.domain.catalogue.generator import GENERATED_MAX, generated_instruments
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database

SOURCE = "generated"

_STAGE = "CREATE TEMPORARY TABLE staged (LIKE market.instruments INCLUDING DEFAULTS) ON COMMIT DROP"
_REPLACE = f"""
INSERT INTO market.instruments ({", ".join(COLUMNS)})
SELECT {", ".join(COLUMNS)} FROM staged
ON CONFLICT (exchange, symbol) DO NOTHING
"""


async def load_generated(url: str, *, count: int, seed: int, at: datetime) -> int:
    """Replace all generated rows by `count` new ones, in one transaction; how many there are now."""
    rows = (instrument_row(each, SOURCE, at) for each in generated_instruments(count, seed, trading_day(at)))
    async with (
        open_database(
            url, role="vyomo_worker", application="generate", statement_seconds=120, patience_seconds=0
        ) as database,
        database.transaction() as connection,
    ):
        await connection.execute("DELETE FROM market.instruments WHERE source = $1", SOURCE)
        await connection.execute(_STAGE)
        await connection.execute("ALTER TABLE pg_temp.staged DROP COLUMN id")
        await connection.copy_records_to_table("staged", records=rows, columns=COLUMNS, schema_name="pg_temp")
        await connection.execute(_REPLACE.replace("FROM staged", "FROM pg_temp.staged"))
        loaded = await connection.fetchval(
            "SELECT count(*) FROM market.instruments WHERE source = $1", SOURCE
        )
        return int(loaded or 0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m vyomo_paper_exchange.generate",
        description="Load invented instruments with futures and option chains; safe to repeat.",
    )
    parser.add_argument("--count", type=int, default=100_000, help="instruments to load (default: 100000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--postgres",
        metavar="URL",
        default=os.environ.get("VYOMO_POSTGRES_URL"),
        help="for example postgresql://vyomo@localhost/vyomo (default: VYOMO_POSTGRES_URL)",
    )
    options = parser.parse_args(arguments)
    if not options.postgres:
        parser.error("--postgres URL (or VYOMO_POSTGRES_URL) is needed")
    if not 1 <= options.count <= GENERATED_MAX:
        parser.error(f"--count must be from 1 to {GENERATED_MAX}")
    started = time.perf_counter()
    count = asyncio.run(
        load_generated(options.postgres, count=options.count, seed=options.seed, at=SystemClock().now())
    )
    sys.stdout.write(f"{count} instruments in {time.perf_counter() - started:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
