"""Telling the bus what a commit changed: from memory right after the commit, outbox row deleted once the bus has stored it.

Losing any of it is harmless: the row stays and the relay publishes it again. Consumers gate by version, so twice is harmless too.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from vyomo_contracts import subjects
from vyomo_contracts.events import BrokerEvents
from vyomo_ledger.writing.bodies import text_of
from vyomo_service_kit import failpoints
from vyomo_service_kit.bus import Bus, BusUnavailableError
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database, RecordUnavailableError
from vyomo_service_kit.identifiers import IdentifierFactory
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

MOST_IN_FLIGHT = 256
LARGEST_MESSAGE = 512 * 1024
"""Characters of events in one message; the server's limit is 1 MiB, and symbols are not all ASCII."""
_CLEAR_SECONDS = 0.25

_CLEAR = "DELETE FROM ledger.outbox WHERE id = ANY($1::bigint[])"


@dataclass(slots=True)
class Publication:
    """One outbox row and the events it stands for."""

    outbox_id: int
    broker: str
    partition: int
    events: list[str]
    """Each as JSON, ready for the envelope."""


class EventPublisher:
    """Publishes in the order of the commits; at most `MOST_IN_FLIGHT` messages wait for their acknowledgement, more are left to the relay."""

    def __init__(
        self, bus: Bus, database: Database, clock: Clock, identifiers: IdentifierFactory, *, source: str
    ) -> None:
        self._bus = bus
        self._database = database
        self._clock = clock
        self._identifiers = identifiers
        self.source = source
        self._in_flight: set[asyncio.Task[None]] = set()
        self._stored: list[int] = []
        self._some_stored = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        clearing = asyncio.create_task(
            repeat(self._clear, every_seconds=3600, name="outbox.clear", wake=self._some_stored)
        )
        try:
            yield
        finally:
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=2)
            await cancel_and_wait(clearing)
            try:
                await self._clear()
            except RecordUnavailableError:
                log.info("outbox.left_to_relay", rows=len(self._stored))

    def publish(self, publications: Sequence[Publication]) -> None:
        """Start publishing what was just committed; never waits and never fails the caller."""
        for publication in publications:
            if len(self._in_flight) >= MOST_IN_FLIGHT:
                log.warning("outbox.left_to_relay", outbox_id=publication.outbox_id)
                continue
            task = asyncio.create_task(self._publish(publication))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)

    async def store(self, publication: Publication, *, again: bool = False) -> None:
        """Publish one and wait until the bus has stored it, in as many messages as its size needs.

        With `again` the messages have ids of their own: a repeat may be cut differently, and an id the bus knows is dropped.

        Raises:
            BusUnavailableError: not all stored as far as we know.
        """
        for number, events in enumerate(_cut(publication.events)):
            message_id = f"outbox-{publication.outbox_id}-{number}"
            if again:
                message_id += f"-{self._identifiers.message_id()}"
            envelope = BrokerEvents(
                id=message_id,
                type=BrokerEvents.TYPE,
                time=self._clock.now(),
                correlation_id=self._identifiers.message_id(),
                source=self.source,
                items=(),
            )
            await self._bus.store(
                subjects.events(publication.broker, publication.partition),
                with_items(envelope, events),
                message_id=message_id,
            )

    async def _publish(self, publication: Publication) -> None:
        failpoints.reach("publish.waiting")
        try:
            await self.store(publication)
        except BusUnavailableError as error:
            log.warning("outbox.not_published", outbox_id=publication.outbox_id, why=str(error))
            return
        failpoints.reach("publish.stored")
        self._stored.append(publication.outbox_id)
        self._some_stored.set()

    async def _clear(self) -> None:
        """One statement for all that was stored in the last quarter second: clearing is not a commit per order."""
        if not self._stored:
            return
        await asyncio.sleep(_CLEAR_SECONDS)
        stored, self._stored = self._stored, []
        try:
            async with self._database.connection() as connection:
                await connection.execute(_CLEAR, stored)
        except RecordUnavailableError:
            # Kept: the rows must go once the server is back, or the relay repeats them for nothing.
            self._stored = stored + self._stored
            raise


def _cut(events: Sequence[str]) -> Iterator[list[str]]:
    """The events in pieces below what one message may hold."""
    piece: list[str] = []
    size = 0
    for event in events:
        if piece and size + len(event) > LARGEST_MESSAGE:
            yield piece
            piece, size = [], 0
        piece.append(event)
        size += len(event) + 1
    yield piece


def with_items(envelope: BrokerEvents, events: Sequence[str]) -> bytes:
    """The envelope with these items. They were encoded for the record: validating and encoding them again would double their cost."""
    head, _, tail = text_of(envelope).rpartition("[]")
    return f"{head}[{','.join(events)}]{tail}".encode()
