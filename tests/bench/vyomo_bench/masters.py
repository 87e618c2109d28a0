"""A broker's instrument master of a hundred thousand rows: from the file to the record, as a worker loads it each morning."""

import io
import resource
import time
from collections.abc import Iterator

from vyomo_broker_kit.instruments.merging import merge
from vyomo_broker_zerodha.instruments import listed
from vyomo_contracts.vocabulary import Broker
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database

from .bench import Bench, Results

_ROWS = 100_000
_HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)


async def masters(bench: Bench) -> Results:
    """Twice: into an empty table, and with the next day's list in the place of this one's. What was loaded goes again."""
    async with open_database(
        bench.system.connections().postgres_url,
        role="vyomo_worker",
        application="bench",
        max_size=1,
        statement_seconds=120,
    ) as database:
        at = SystemClock().now()
        began = time.perf_counter()
        await merge(database, Broker.ZERODHA, listed(_dump(0)), at)
        first = time.perf_counter() - began
        began = time.perf_counter()
        await merge(database, Broker.ZERODHA, listed(_dump(2_000)), at)
        renewed = time.perf_counter() - began
        async with database.transaction() as connection:
            await connection.execute("DELETE FROM market.listings WHERE broker = $1", Broker.ZERODHA)
            await connection.execute("DELETE FROM market.masters WHERE broker = $1", Broker.ZERODHA)
    return {
        "instruments_loaded_s": first,
        "instruments_renewed_s": renewed,
        "instruments_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _dump(offset: int) -> io.BytesIO:
    return io.BytesIO("\n".join([_HEADER, *_lines(offset)]).encode())


def _lines(offset: int) -> Iterator[str]:
    """Option chains; those of the first companies expire, and others are listed for them."""
    for number in range(offset, offset + _ROWS):
        company, strike = f"C{number // 160:05}", 100 + number % 80 * 5
        side = "CE" if number % 160 < 80 else "PE"
        yield (
            f"{number * 256 + 2},{number},{company}26DEC{strike}{side},{company},0,2026-12-29,{strike},0.05,500,{side},NFO-OPT,NFO"
        )
