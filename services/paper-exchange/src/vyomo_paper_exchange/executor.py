"""The paper broker's worker: what waits in the lanes, and what rests in the book, executed in the record's own transaction."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, Protocol

import structlog

from vyomo_contracts.vocabulary import Exchange, OrderState, PendingAction
from vyomo_ledger.writing import Claimed, Ledger, PendingChange
from vyomo_paper_exchange.adapters.store import VenueStore
from vyomo_paper_exchange.domain.execution import Round
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.domain.market.pricing import snapshot_at, time_of
from vyomo_paper_exchange.domain.matching import Consumption
from vyomo_paper_exchange.domain.sessions import SessionTableExhaustedError
from vyomo_paper_exchange.domain.times import trading_day
from vyomo_paper_exchange.domain.view import MarketView
from vyomo_paper_exchange.domain.waiting import Change, Ended, Filled, Moved, Triggered, look
from vyomo_paper_exchange.domain.working import RestingOrders, WorkingOrder, order_of, venue_order_id
from vyomo_paper_exchange.doors.record import DoorRecord, Written
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, RecordUnavailableError

log = structlog.get_logger()

ORDERS_A_ROUND: Final = 200
"""Shared evenly by the accounts of the round; who has more waits for the next one, which follows at once."""
FEWEST_AN_ACCOUNT: Final = 4
CHANGES_A_TICK: Final = 1_000
ACCOUNTS_A_ROLL: Final = 100
_RETRY_SECONDS: Final = 0.5

Ring = Callable[[Iterable[int]], None]
Recorded = Triggered | Filled | Ended
"""Changes that are more than a place in the queue."""


class DoorWork(Protocol):
    async def run(self, connection: Connection, round_: Round) -> Written:
        """Decide in the round, and write by the connection what belongs to the same commit."""
        ...


class PaperExecutor:
    """One round at a time: the resting book and the taken liquidity change only after a round's commit, under one lock."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: VenueStore,
        rounds: Rounds,
        clock: Clock,
        owns: Callable[[int], bool],
        resting: RestingOrders,
        consumption: Consumption,
        doors: DoorRecord,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._rounds = rounds
        self._clock = clock
        self._owns = owns
        self._lock = asyncio.Lock()
        self._resting = resting
        self._consumption = consumption
        self._doors = doors
        self._some_rest = asyncio.Event()
        self._is_unsure = False
        """A commit's answer was lost: what rests is read again before anything else is done."""
        self.ring: Ring = lambda _: None
        """Set by the wiring: how to ask for another round of some accounts."""

    async def restore(self) -> None:
        """Read the resting orders of our accounts back from the venue's tables."""
        async with self._lock:
            await self._restore()

    async def run(self, account_ids: Sequence[int]) -> None:
        """Execute what waits in these accounts' lanes, one commit for all."""
        try:
            unfinished = await self._execute(account_ids)
        except RecordUnavailableError:
            raise
        except Exception:
            if len(account_ids) == 1:
                raise
            # One account's trouble must not stop its neighbours: each gets a round of its own.
            log.exception("venue.round_split", accounts=len(account_ids))
            await self._run_apart(account_ids)
            return
        if unfinished:
            self.ring(unfinished)

    async def _run_apart(self, account_ids: Sequence[int]) -> None:
        errors: list[Exception] = []
        for account_id in account_ids:
            try:
                await self.run([account_id])
            except RecordUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 - raised together below
                errors.append(error)
        if errors:
            raise ExceptionGroup("some accounts could not be served", errors)

    async def match_resting(self) -> None:
        """Show the resting orders the present snapshot, and write what trades, triggers or ends."""
        async with self._lock, self._remembering():
            view = await self._rounds.view(self._resting.instruments())
            draft = self._consumption.draft()
            ended = [Ended(order) for order in self._resting.expired(view.at, CHANGES_A_TICK)]
            if ended:
                await self._write_all(ended, draft)
                return
            changes = self._changes(view, draft)
            await self._write_all([change for change in changes if not isinstance(change, Moved)], draft)
            for change in changes:
                if isinstance(change, Moved):
                    self._resting.put(change.after)
            for listing in self._open_listings(view):
                self._resting.note_seen(listing.key, view.snapshot(listing))

    async def watch(self) -> None:
        """Match every new snapshot while anything rests; asleep without a timer while nothing does."""
        while True:
            await self._some_rest.wait()
            if len(self._resting) == 0:
                self._some_rest.clear()
                continue
            now = self._clock.now()
            await asyncio.sleep((time_of(snapshot_at(now) + 1) - now) / timedelta(seconds=1))
            try:
                await self.match_resting()
            except RecordUnavailableError as error:
                log.warning("venue.record_unavailable", why=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("venue.matching_failed")
                await asyncio.sleep(_RETRY_SECONDS)

    async def roll_days(self) -> None:
        """Begin the trading day for every account that has not yet; accounts with orders do so by themselves."""
        today = trading_day(self._clock.now())
        while True:
            async with self._lock, self._ledger.transaction() as transaction:
                behind = await self._store.accounts_behind(transaction.connection, today, ACCOUNTS_A_ROLL)
                if not behind:
                    return
                round_ = await self._rounds.begin(transaction, behind, (), consumption=Consumption())
                self._rounds.finish(transaction, round_)
            log.info("venue.day_rolled", accounts=len(behind), day=today.isoformat())

    async def serve_door(
        self,
        account_ids: Iterable[int],
        touched: Iterable[tuple[str, str]],
        order_ids: Iterable[str],
        work: DoorWork,
    ) -> None:
        """A round of what came by a front door: the same books, market and commit; nothing is claimed in the record."""
        async with self._lock, self._remembering():
            draft = self._consumption.draft()
            async with self._ledger.transaction() as transaction:
                round_ = await self._rounds.begin(
                    transaction, account_ids, touched, order_ids=order_ids, consumption=draft
                )
                written = await work.run(transaction.connection, round_)
                self._rounds.finish(transaction, round_)
            self._keep(round_)
            self._doors.tell(written)

    async def _execute(self, account_ids: Sequence[int]) -> list[int]:
        """The accounts that used up their share and may have more waiting."""
        share = max(ORDERS_A_ROUND // len(account_ids), FEWEST_AN_ACCOUNT)
        async with self._lock, self._remembering():
            draft = self._consumption.draft()
            async with self._ledger.transaction() as transaction:
                work = await transaction.claim(account_ids, per_account=share)
                if not (work.orders or work.actions):
                    return []
                orders = [*work.orders, *(action.order for action in work.actions)]
                round_ = await self._rounds.begin(
                    transaction,
                    {order.account_id for order in orders},
                    {(order.exchange, order.symbol) for order in orders},
                    order_ids=[venue_order_id(action.order) for action in work.actions],
                    consumption=draft,
                )
                _serve(round_, work)
                written = await self._doors.write(transaction.connection, round_)
                self._rounds.finish(transaction, round_)
            self._keep(round_)
            self._doors.tell(written)
            served = Counter(order.account_id for order in orders)
            return [account_id for account_id, count in served.items() if count >= share]

    @asynccontextmanager
    async def _remembering(self) -> AsyncGenerator[None]:
        """Memory follows the record: after a commit whose answer was lost it is read back, since it may have happened."""
        if self._is_unsure:
            await self._restore()
        try:
            yield
        except RecordUnavailableError:
            self._is_unsure = True
            raise

    async def _restore(self) -> None:
        async with self._ledger.database.connection() as connection:
            orders = await self._store.working_orders(connection)
        self._resting.replace_all(order for order in orders if self._owns(order.account_id))
        self._is_unsure = False
        self._note_resting()
        log.info("venue.restored", resting_orders=len(self._resting))

    async def _write_all(self, changes: Sequence[Recorded], draft: Consumption) -> None:
        """In one commit, or a few when they are very many; one account's trouble must not stop its neighbours."""
        for start in range(0, len(changes), CHANGES_A_TICK):
            some = changes[start : start + CHANGES_A_TICK]
            try:
                await self._write(some, draft)
            except RecordUnavailableError:
                raise
            except Exception:
                account_ids = sorted({change.known.account_id for change in some})
                log.exception("venue.tick_split", accounts=len(account_ids))
                for account_id in account_ids:
                    await self._write_apart(
                        [change for change in some if change.known.account_id == account_id], draft
                    )
        self._consumption.merge(draft)

    async def _write_apart(self, changes: Sequence[Recorded], draft: Consumption) -> None:
        """An account that fails keeps its orders as they were; the next snapshot tries them again."""
        try:
            await self._write(changes, draft)
        except RecordUnavailableError:
            raise
        except Exception:
            log.exception("venue.account_not_matched", account_id=changes[0].known.account_id)

    async def _write(self, changes: Sequence[Recorded], draft: Consumption) -> None:
        known = {change.known.order_id: change.known for change in changes}
        async with self._ledger.transaction() as transaction:
            locked = await transaction.lock(
                (each.account_id, each.order_id) for each in known.values() if not each.came_by_door
            )
            round_ = await self._rounds.begin(
                transaction,
                {each.account_id for each in known.values()},
                {(each.exchange, each.symbol) for each in known.values()},
                order_ids=known,
                consumption=draft.draft(),
            )
            strangers: list[str] = []
            for change in changes:
                stored = round_.working.get(change.known.order_id)
                order = locked.get(change.known.order_id)
                if stored is not None and stored.came_by_door:
                    order = order_of(stored)
                if (
                    order is None
                    or order.state.is_terminal
                    or stored is None
                    or not _same(stored, change.known)
                ):
                    strangers.append(change.known.order_id)
                elif isinstance(change, Triggered):
                    round_.trigger(order, stored)
                elif isinstance(change, Filled):
                    round_.fill_waiting(order, stored, change.execution, change.place)
                else:
                    round_.expire(order, stored)
            written = await self._doors.write(transaction.connection, round_)
            self._rounds.finish(transaction, round_)
        draft.merge(round_.consumption)
        self._keep(round_)
        self._doors.tell(written)
        self._correct(strangers, round_)

    def _changes(self, view: MarketView, draft: Consumption) -> list[Change]:
        changes: list[Change] = []
        for listing in self._open_listings(view):
            changes.extend(look(self._resting, listing, view.snapshot(listing), draft))
        return changes

    def _open_listings(self, view: MarketView) -> Iterator[Listing]:
        """Instruments with resting orders whose exchange is in session."""
        for exchange, symbol in self._resting.instruments():
            listing = view.listing(exchange, symbol)
            if listing is not None and _is_open(view, exchange):
                yield listing

    def _keep(self, round_: Round) -> None:
        """After the commit: what the round took and what now rests becomes memory."""
        self._consumption.merge(round_.consumption)
        for order in round_.changed.values():
            self._resting.put(order)
            if not order.is_working:
                continue
            listing = round_.view.listing(order.exchange, order.symbol)
            if listing is not None:
                self._resting.note_arrival(order.key, round_.view.snapshot(listing))
        self._note_resting()

    def _correct(self, strangers: Iterable[str], round_: Round) -> None:
        """Orders that another process served meanwhile: the stored row replaces what we remembered."""
        for order_id in strangers:
            stored = round_.working.get(order_id)
            log.warning("venue.memory_corrected", order_id=order_id)
            if stored is None:
                self._resting.remove(order_id)
            else:
                self._resting.put(stored)

    def _note_resting(self) -> None:
        if len(self._resting):
            self._some_rest.set()


def _serve(round_: Round, work: Claimed) -> None:
    """Changes first: they belong to older orders, and a cancellation frees margin for what follows."""
    for action in work.actions:
        _change(round_, action)
    for order in work.orders:
        round_.place(order)


def _change(round_: Round, action: PendingChange) -> None:
    if action.action is PendingAction.CANCEL:
        round_.cancel(action.order)
    elif action.modification is None:
        raise ValueError(f"{action.order.order_id} waits for a modification that says nothing")
    elif action.order.state is OrderState.NEW:
        round_.place(action.order, action.modification.model_dump(exclude_none=True))
    else:
        round_.modify(action.order, action.modification)


def _same(stored: WorkingOrder, known: WorkingOrder) -> bool:
    """Whether what we remember is still true, as far as trades and triggers go."""
    return stored.is_working and (
        (stored.filled_quantity, stored.limit, stored.trigger_price, stored.triggered_at)
        == (known.filled_quantity, known.limit, known.trigger_price, known.triggered_at)
    )


def _is_open(view: MarketView, exchange: Exchange) -> bool:
    try:
        return view.phase(exchange).session is not None
    except SessionTableExhaustedError:
        return False
