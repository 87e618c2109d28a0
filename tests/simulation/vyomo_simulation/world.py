"""One simulated world: its time, its chance, its servers, and the history of what happened in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Final

from vyomo_contracts.identifiers import BrokerTag, OrderId
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Broker as BrokerName
from vyomo_contracts.vocabulary import Exchange, InstrumentKind

from .broker import Broker
from .bus import BusFaults, BusServer, MemoryBus
from .loop import VirtualLoop
from .record import Record
from .server import MemoryDatabase, Server, ServerFaults
from .statements import statements_of

BEGINNING: Final = datetime(2026, 11, 19, 4, 0, tzinfo=UTC)
USER: Final = "asha"
BROKER: Final = BrokerName.ZERODHA
PARTITIONS: Final = 4
SIGNED_IN_FOR: Final = timedelta(days=1)
INSTRUMENT: Final = Instrument(
    exchange=Exchange.NSE,
    symbol="RELIANCE",
    name="Reliance Industries",
    kind=InstrumentKind.EQUITY,
    lot_size=1,
    tick_size=Decimal("0.05"),
    freeze_quantity=500,
    reference_price=Decimal(100),
    band_percent=Decimal(20),
)


class SimulatedClock:
    """The record's clock is right by definition; a process's may be off by `ahead_seconds`."""

    def __init__(self, loop: VirtualLoop, ahead_seconds: float = 0.0) -> None:
        self._loop = loop
        self._beginning = self._said = BEGINNING + timedelta(seconds=ahead_seconds)
        self._said_at = 0.0

    def now(self) -> datetime:
        elapsed = self._loop.time()
        if elapsed != self._said_at:  # asked several times in a turn
            self._said_at, self._said = elapsed, self._beginning + timedelta(seconds=elapsed)
        return self._said

    def elapsed(self) -> float:
        return self._loop.time()


class SimulatedIdentifiers:
    """Unique in the world, and the same in every run of a seed."""

    def __init__(self, next_number: Callable[[], int]) -> None:
        self._next_number = next_number

    def message_id(self) -> str:
        return f"{self._next_number():026d}"

    def order_id(self, broker: str) -> OrderId:
        return OrderId(f"{broker.upper()}_{self.message_id()}")

    def broker_tag(self) -> BrokerTag:
        return BrokerTag(f"T{self._next_number():014d}")


@dataclass
class History:
    """Everything worth telling, in order. Two runs of one seed must tell the same."""

    loop: VirtualLoop
    lines: list[str] | None = None
    """Kept when somebody wants to read them."""
    _digest: "blake2b" = field(default_factory=lambda: blake2b(digest_size=8))

    def note(self, *what: object) -> None:
        line = f"{self.loop.time():.6f} {' '.join(map(str, what))}"
        self._digest.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


class World:
    def __init__(self, seed: int, *, accounts: int, keep_history: bool = False) -> None:
        self.seed = seed
        self.loop = VirtualLoop(seed)
        self.clock = SimulatedClock(self.loop)
        self.history = History(self.loop, [] if keep_history else None)
        self.record = Record()
        self.record.add_instrument(INSTRUMENT)
        self.account_ids = list(range(1, accounts + 1))
        for account_id in self.account_ids:
            until = BEGINNING + SIGNED_IN_FOR
            self.record.add_account(account_id, USER, BROKER, session_until=until)
            self.record.sessions[account_id] = {
                "account_id": account_id,
                "user_id": USER,
                "broker": BROKER,
                "state": "ACTIVE",
                "valid_until": until,
                "reason": None,
                "updated_at": BEGINNING,
            }
        self.server = Server(
            self.clock,
            self.random("record"),
            statements_of(self.record),
            ServerFaults(seconds=0.001),
            self.loop.pause,
        )
        self.bus = BusServer(self.loop, self.random("bus"), BusFaults())
        self.broker = Broker(
            self.loop,
            self.random("broker"),
            claimed_at=self.record.taken.get,
            note=self.history.note,
            beginning=BEGINNING,
        )
        self.identifiers = SimulatedIdentifiers(count(1).__next__)

    def random(self, part: str) -> Random:
        """A part's own chance, so that one part drawing more does not change what another meets."""
        return Random(f"{part} {self.seed}")

    def clock_of(self, service: str) -> SimulatedClock:
        """Routers of one machine agree; a worker may be on another, whose clock nobody has looked at for long."""
        limit = 20.0 if service == "worker" else 1.0
        off = self.random(f"clock of {service}").choice((0.0, 0.0, -limit, limit))
        return SimulatedClock(self.loop, off)

    def database(self) -> MemoryDatabase:
        return MemoryDatabase(self.server)

    def connection(self) -> MemoryBus:
        return MemoryBus(self.bus)
