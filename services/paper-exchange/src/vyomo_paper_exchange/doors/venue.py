"""All that a door's server is handed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vyomo_ledger.writing import Ledger
from vyomo_paper_exchange.doors.books import Books
from vyomo_paper_exchange.doors.desk import Desk
from vyomo_paper_exchange.doors.instruments import InstrumentNumbers
from vyomo_paper_exchange.doors.logins import DoorLogins, DoorSessions
from vyomo_paper_exchange.doors.natives import NativeOrders
from vyomo_paper_exchange.doors.prices import Prices
from vyomo_paper_exchange.doors.record import DoorRecord
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_paper_exchange.history import CandleHistory
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.sealing import Opener


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorVenue:
    desk: Desk
    books: Books
    prices: Prices
    history: CandleHistory
    instruments: InstrumentNumbers
    logins: DoorLogins
    sessions: DoorSessions
    record: DoorRecord
    """Its `listen` tells of every change of an order, after its commit."""
    clock: Clock


@asynccontextmanager
async def open_venue(
    *,
    ledger: Ledger,
    executor: PaperExecutor,
    rounds: Rounds,
    record: DoorRecord,
    clock: Clock,
    history: CandleHistory,
    opener: Opener | None,
) -> AsyncGenerator[DoorVenue]:
    natives = NativeOrders(ledger, executor, clock)
    venue = DoorVenue(
        desk=Desk(executor, rounds, record, natives, clock),
        books=Books(ledger.database, rounds, natives, clock),
        prices=Prices(rounds, clock),
        history=history,
        instruments=InstrumentNumbers(ledger.database),
        logins=DoorLogins(ledger.database, opener),
        sessions=DoorSessions(ledger.database),
        record=record,
        clock=clock,
    )
    async with venue.prices.running():
        try:
            yield venue
        finally:
            await venue.desk.drain()
