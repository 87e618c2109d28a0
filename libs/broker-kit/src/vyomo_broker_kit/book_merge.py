"""What one reading of a broker's books changes in the record: one commit for our orders, one for orders placed elsewhere."""

from collections.abc import Sequence
from typing import Final

import structlog

from vyomo_broker_kit.book_learning import WORKING_SQL, BookLearning, Outcome, Reading, has_derived
from vyomo_broker_kit.external import external_order
from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.matching import Matches, lookalikes
from vyomo_broker_kit.port import BookEntry, TradeEntry
from vyomo_broker_kit.resolving import update_of_silence
from vyomo_broker_kit.trade_fills import fill_change
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import Broker, OrderState, Origin
from vyomo_ledger.writing import Adoption, Ledger, Step
from vyomo_service_kit.clock import Clock

log = structlog.get_logger()

_OVERDUE: Final = f"""
SELECT account_id, order_id FROM ledger.broker_orders
WHERE account_id = ANY($1::bigint[]) AND state IN ({WORKING_SQL}) AND state = 'SUBMITTING' AND send_deadline < clock_timestamp()
"""
_OWNER: Final = "SELECT user_id FROM ledger.lanes WHERE account_id = $1 AND lane = 'CLAIM'"


class BookMerge:
    def __init__(self, ledger: Ledger, clock: Clock, *, broker: Broker, limits: ReconcileLimits) -> None:
        self._ledger = ledger
        self._clock = clock
        self._broker = broker
        self._limits = limits
        self._seen: dict[int, dict[str, tuple[object, ...]]] = {}
        self._owners: dict[int, str] = {}
        self._ahead: dict[str, float] = {}
        """Orders whose trades are more than they can hold, and since when."""

    def changed(self, account_id: int, entries: Sequence[BookEntry]) -> list[BookEntry]:
        """What looks other than at the last reading that was recorded."""
        seen = self._seen.get(account_id, {})
        return [entry for entry in entries if seen.get(entry.broker_order_id) != _shown(entry)]

    async def silence(self, account_ids: Sequence[int]) -> None:
        """Orders whose send deadline passed without an outcome are unknown from now on; their lanes are free again."""
        async with self._ledger.transaction(part="resolver") as transaction:
            rows = await transaction.connection.fetch(_OVERDUE, list(account_ids))
            orders = await transaction.lock((row["account_id"], row["order_id"]) for row in rows)
            update = update_of_silence(self._clock.now())
            overdue = [order for order in orders.values() if order.state is OrderState.SUBMITTING]
            transaction.step([Step(order=order, update=update) for order in overdue])

    async def merge(self, reading: Reading, changed: Sequence[BookEntry]) -> Outcome:
        """`changed` are those entries of the reading of which `changed` says so."""
        async with self._ledger.transaction(part="books") as transaction:
            merging = BookLearning(transaction, reading, self._limits, self._clock, self._ahead)
            matches = await merging.match(changed)
            await merging.learn(matches)
        doubtful = {entry.broker_order_id for entry in lookalikes(matches)}
        fresh = {entry.broker_order_id for entry in changed} - doubtful
        adopted = await self._adopt(reading, matches, fresh)
        # Only now: what was not recorded must look new to the next reading.
        self._seen[reading.account_id] = {
            entry.broker_order_id: _shown(entry)
            for entry in reading.entries
            if entry.broker_order_id not in doubtful
        }
        outcome = merging.outcome
        return Outcome(
            wants_trades=outcome.wants_trades or any(has_derived(each.fills) for each in adopted),
            filled=outcome.filled or any(each.fills for each in adopted),
        )

    async def _adopt(self, reading: Reading, matches: Matches, changed: set[str]) -> list[Adoption]:
        """Rows that are no order of ours become orders all the same: their fills move the account's positions."""
        foreign = [
            (entry, origin)
            for entry, origin in (
                *((entry, Origin.EXTERNAL) for entry in matches.strangers),
                *((entry, Origin.RECONCILIATION) for _, entry in (*matches.surplus, *matches.misfits)),
            )
            if entry.broker_order_id in changed
        ]
        if not foreign:
            return []
        user_id = await self._owner(reading.account_id)
        adoptions: list[Adoption] = []
        for entry, origin in foreign:
            order = external_order(
                entry,
                account_id=reading.account_id,
                user_id=user_id,
                broker=self._broker,
                origin=origin,
                at=self._clock.now(),
            )
            change = fill_change(order, (), _trades_of(order, reading.trades), entry.updated_at)
            adoptions.append(Adoption(order, change.added))
        adopted = await self._ledger.adopt(reading.account_id, adoptions)
        log.info("book.adopted", account_id=reading.account_id, orders=len(adopted))
        return adoptions

    async def _owner(self, account_id: int) -> str:
        if account_id not in self._owners:
            async with self._ledger.database.connection() as connection:
                user_id: str | None = await connection.fetchval(_OWNER, account_id)
            assert user_id is not None, "an account has its lanes from its first moment"
            self._owners[account_id] = user_id
        return self._owners[account_id]


def _trades_of(order: Order, trades: Sequence[TradeEntry] | None) -> list[TradeEntry]:
    return [trade for trade in trades or () if trade.broker_order_id == order.broker_order_id]


def _shown(entry: BookEntry) -> tuple[object, ...]:
    """What makes an entry worth looking at again."""
    return (
        entry.state,
        entry.filled_quantity,
        entry.average_price,
        entry.quantity,
        entry.price,
        entry.trigger_price,
        entry.text,
    )
