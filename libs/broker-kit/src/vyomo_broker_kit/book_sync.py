"""Learning from the broker's order book what became of our orders: fills, rejections, cancellations, unknown outcomes.

Orders are found by the broker's id, else by our tag, never by looks. What the book does not show changes nothing here: absence
is no evidence until the broker's settle time has passed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import structlog

from vyomo_broker_kit.port import BookEntry, BookUnreadableError, BrokerPort
from vyomo_contracts.lifecycle import Applied, OrderUpdate, apply
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import WORKING_STATES, OrderState
from vyomo_ledger.writing import Ledger, LedgerTransaction, Step
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

READ_SECONDS: Final = 1.0
TICK_SECONDS: Final = 0.25
READS_AT_ONCE: Final = 8

# Spelled out, for a parameter would hide from the planner that this is what the small index of working orders holds.
_IS_WORKING: Final = "state IN ('" + "', '".join(sorted(WORKING_STATES)) + "')"
_WORKING: Final = (
    f"SELECT account_id, order_id FROM ledger.broker_orders WHERE account_id = $1 AND {_IS_WORKING}"
)
ACCOUNTS_WITH_WORKING_ORDERS: Final = (
    f"SELECT DISTINCT account_id FROM ledger.broker_orders WHERE broker = $1 AND {_IS_WORKING}"
)
# A change that was sent, whose call is over for sure, and that the broker still does not show.
_OVERDUE: Final = """
SELECT order_id FROM ledger.broker_orders
WHERE account_id = $1 AND order_id = ANY($2::text[]) AND pending_stage = 'SUBMITTING' AND send_deadline < now()
"""


class BookSync:
    """Reads the book of an account about once a second while it has working orders, and at once when `look` is called.

    Accounts are read beside each other, so one that hangs delays itself alone. `serves` tells which accounts are this process's:
    a broker counts the reads, whoever makes them.
    """

    def __init__(
        self, ledger: Ledger, port: BrokerPort, clock: Clock, *, broker: str, serves: Callable[[int], bool]
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._broker = broker
        self._serves = serves
        self._due: dict[int, None] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._listed_at = 0.0
        self._wake = asyncio.Event()

    def look(self, account_id: int) -> None:
        self._due[account_id] = None
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        ticking = asyncio.create_task(
            repeat(self._tick, every_seconds=TICK_SECONDS, name=f"book.{self._broker}", wake=self._wake)
        )
        try:
            yield
        finally:
            await cancel_and_wait(ticking, *self._reading.values())

    async def _tick(self) -> None:
        now = self._clock.elapsed()
        if now - self._listed_at >= READ_SECONDS:
            self._listed_at = now
            for account_id in await self._accounts_with_working_orders():
                self._due[account_id] = None
        for account_id in [each for each in self._due if each not in self._reading]:
            if len(self._reading) >= READS_AT_ONCE:
                return
            del self._due[account_id]
            self._reading[account_id] = asyncio.create_task(self._read(account_id))

    async def _read(self, account_id: int) -> None:
        asked_at = self._clock.now()
        try:
            await self.merge(account_id, await self._port.order_book(account_id), asked_at)
        except (BookUnreadableError, UnavailableError) as error:
            log.warning("book.unreadable", account_id=account_id, why=str(error))
        except Exception:
            log.exception("book.failed", account_id=account_id)
        finally:
            del self._reading[account_id]
            self._wake.set()

    async def merge(self, account_id: int, entries: Sequence[BookEntry], asked_at: datetime) -> None:
        """Apply what the book says to the account's working orders, in one commit.

        It may be as old as the question: what was learnt since is newer.
        """
        by_broker_id = {entry.broker_order_id: entry for entry in entries}
        by_tag = {entry.tag: entry for entry in entries if entry.tag is not None}
        tags = Counter(entry.tag for entry in entries)
        async with self._ledger.transaction() as transaction:
            rows = await transaction.connection.fetch(_WORKING, account_id)
            orders = await transaction.lock((row["account_id"], row["order_id"]) for row in rows)
            overdue = await _overdue(transaction, account_id, orders)
            for order in orders.values():
                if tags[order.broker_tag] > 1:
                    log.error("book.order_exists_twice", order_id=order.order_id, tag=order.broker_tag)
                entry = by_broker_id.get(order.broker_order_id or "") or by_tag.get(order.broker_tag)
                if entry is not None and order.state in WORKING_STATES:
                    transaction.step([_step(order, entry, asked_at, is_overdue=order.order_id in overdue)])

    async def _accounts_with_working_orders(self) -> list[int]:
        async with self._ledger.database.connection() as connection:
            rows = await connection.fetch(ACCOUNTS_WITH_WORKING_ORDERS, self._broker)
        return [row["account_id"] for row in rows if self._serves(row["account_id"])]


async def _overdue(transaction: LedgerTransaction, account_id: int, orders: dict[str, Order]) -> set[str]:
    changing = [order.order_id for order in orders.values() if order.pending_action is not None]
    if not changing:
        return set()
    return {row["order_id"] for row in await transaction.connection.fetch(_OVERDUE, account_id, changing)}


def _step(order: Order, entry: BookEntry, asked_at: datetime, *, is_overdue: bool) -> Step:
    update = OrderUpdate(
        state=entry.state,
        at=asked_at,
        filled_quantity=entry.filled_quantity,
        average_price=entry.average_price,
        broker_order_id=entry.broker_order_id,
        reason_code=ReasonCode.BROKER_REFUSED if entry.state is OrderState.REJECTED else None,
        reason=entry.text,
        # A book read before a modification was confirmed would undo it.
        modified=_changed_terms(order, entry) if asked_at >= order.updated_at else None,
        clears_pending_action=entry.state.is_terminal or is_overdue,
    )
    result = apply(order, update)
    fills: tuple[Fill, ...] = ()
    if isinstance(result, Applied) and result.increment is not None:
        # Derived from cumulative figures until the trade book names the trades; the id is the same after a restart.
        fills = (
            Fill(
                trade_id=f"{order.order_id}-d{result.order.filled_quantity}",
                order_id=order.order_id,
                account_id=order.account_id,
                exchange=order.exchange,
                symbol=order.symbol,
                product=order.product,
                transaction_type=order.transaction_type,
                quantity=result.increment.quantity,
                price=result.increment.price,
                filled_at=entry.updated_at,
                basis="derived",
            ),
        )
    return Step(order=order, update=update, fills=fills)


def _changed_terms(order: Order, entry: BookEntry) -> dict[str, object]:
    """What the broker shows differently: a modification whose answer was lost, or one made in the broker's own app."""
    changed: dict[str, object] = {}
    if entry.quantity != order.quantity:
        changed["quantity"] = entry.quantity
    if order.order_type.takes_price and entry.price > 0 and entry.price != order.price:
        changed["price"] = entry.price
    if order.order_type.takes_trigger_price and entry.trigger_price not in {None, order.trigger_price}:
        changed["trigger_price"] = entry.trigger_price
    return changed
