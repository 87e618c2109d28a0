"""The order record, read beside the system, to know when orders are done and that none was lost or doubled."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from .errors import BenchError

_SETTLE_LIMIT_SECONDS = 30.0
_POLL_SECONDS = 0.02

_EQUITIES = "SELECT symbol FROM market.instruments WHERE exchange = 'NSE' AND kind = 'EQUITY' ORDER BY symbol LIMIT $1"

_REFERENCE_PRICE = "SELECT reference_price FROM market.instruments WHERE exchange = 'NSE' AND symbol = $1"

# The same states as the record's own partial indexes, so that the question costs next to nothing.
_UNFINISHED = """
SELECT (SELECT count(*) FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[]) AND state = 'NEW')
     + (SELECT count(*) FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[])
        AND state IN ('SUBMITTING', 'UNCONFIRMED', 'ACKNOWLEDGED', 'TRIGGER_PENDING', 'OPEN', 'PARTIALLY_FILLED'))
"""

_STATES = """
SELECT state || coalesce(' ' || reason_code, ''), count(*) FROM ledger.broker_orders
WHERE account_id = ANY($1::bigint[]) AND order_id = ANY($2::text[]) GROUP BY 1
"""

_TOTAL = "SELECT count(*) FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[])"

_EVENTS = """
SELECT count(*) FILTER (WHERE events <> 2 OR newest <> 2), count(*)
FROM (SELECT count(*) AS events, max(version) AS newest FROM ledger.order_events
      WHERE order_id = ANY($1::text[]) GROUP BY order_id) AS histories
"""

_FILLS = """
SELECT count(*), coalesce(sum(quantity), 0) FROM ledger.fills
WHERE account_id = ANY($1::bigint[]) AND order_id = ANY($2::text[])
"""


class Record:
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> "AsyncGenerator[Record]":
        connection = await asyncpg.connect(
            url, server_settings={"default_transaction_read_only": "on", "application_name": "bench"}
        )
        try:
            yield cls(connection)
        finally:
            await connection.close()

    async def equities(self, count: int) -> list[str]:
        return [row["symbol"] for row in await self._connection.fetch(_EQUITIES, count)]

    async def reference_price(self, symbol: str) -> float:
        """Within the band and on the tick: good for a limit order."""
        row = await self._connection.fetchrow(_REFERENCE_PRICE, symbol)
        if row is None:
            raise BenchError(f"there is no {symbol} on NSE")
        return float(row["reference_price"])

    async def settled(self, account_ids: Sequence[int]) -> float:
        """Wait until every order of the accounts is finished; the wall-clock time of that."""
        limit = time.monotonic() + _SETTLE_LIMIT_SECONDS
        while left := await self._connection.fetchval(_UNFINISHED, account_ids):
            if time.monotonic() > limit:
                raise BenchError(
                    f"{left} orders are unfinished {_SETTLE_LIMIT_SECONDS:g} s after the last was accepted"
                )
            await asyncio.sleep(_POLL_SECONDS)
        return time.time()

    async def verify(self, account_ids: Sequence[int], order_ids: Sequence[str], expected_total: int) -> None:
        """Each order exactly once, filled, with two events; nothing else on the accounts.

        Raises:
            BenchError: an order was lost, doubled, refused, or its history has a gap.
        """
        await self.verify_filled(account_ids, order_ids)
        total = await self._connection.fetchval(_TOTAL, account_ids)
        if total != expected_total:
            raise BenchError(f"the accounts have {total} orders, {expected_total} were accepted")
        odd, known = await self._connection.fetchrow(_EVENTS, order_ids) or (0, 0)
        if odd or known != len(order_ids):
            raise BenchError(f"{odd} orders have not exactly two events, {len(order_ids) - known} have none")
        fills, quantity = await self._connection.fetchrow(_FILLS, account_ids, order_ids) or (0, 0)
        if (fills, quantity) != (len(order_ids), len(order_ids)):
            raise BenchError(f"{len(order_ids)} orders of one unit have {fills} fills of {quantity} units")

    async def verify_filled(self, account_ids: Sequence[int], order_ids: Sequence[str]) -> None:
        """Each order exactly once and filled, whatever its history."""
        if len(set(order_ids)) != len(order_ids):
            raise BenchError(f"{len(order_ids) - len(set(order_ids))} order ids were given twice")
        states = {row[0]: row[1] for row in await self._connection.fetch(_STATES, account_ids, order_ids)}
        if states != ({"FILLED": len(order_ids)} if order_ids else {}):
            raise BenchError(f"of {len(order_ids)} accepted orders the record has {states}")
