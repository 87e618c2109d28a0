"""Messages stored through the real bus, and what must be there of them afterwards.

Dead letters are the ones that only the bus has: each is a message that a person is to look at. Events are stored beside them as in
production, without a sync each; the record has them, so their loss is counted and no fault.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from nats.js.errors import NotFoundError

from vyomo_contracts import subjects
from vyomo_contracts.topology import DEAD_LETTERS, EVENTS
from vyomo_service_kit.bus import Bus, BusUnavailableError, declare_topology

WRITERS: Final = 8
_LETTERS: Final = subjects.dead_letters("durability")
_EVENTS: Final = subjects.events("paper", 0)
_READ_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 30.0
_LARGE: Final = 16 * 1024


@dataclass
class Posted:
    letters: set[int] = field(default_factory=set[int])
    """Numbers that were acknowledged."""
    events: set[int] = field(default_factory=set[int])
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by each acknowledged letter."""
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


@dataclass(frozen=True, slots=True)
class Kept:
    lost: int
    """Acknowledged letters that are not there."""
    torn: int
    """Messages that are not what was written."""
    events_lost: int


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Bus]:
    bus = Bus(url, name="durability")
    await bus.connect()
    try:
        yield bus
    finally:
        # The server may be gone, and a client that cannot say goodbye takes its time or fails.
        closing = asyncio.create_task(bus.client.close())
        closing.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({closing}, timeout=2)


@asynccontextmanager
async def being_posted(url: str, posted: Posted) -> AsyncGenerator[None]:
    """Letters and events are stored until it is left."""
    async with connected(url) as bus:
        await declare_topology(bus.stored, ())
        writers = [asyncio.create_task(_write(bus, posted)) for _ in range(WRITERS)]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)


async def answer(posted: Posted) -> None:
    """Returns on the heels of the next acknowledgement."""
    posted.answered.clear()
    async with asyncio.timeout(_ANSWER_SECONDS):
        await posted.answered.wait()


async def post_until_refused(url: str, posted: Posted, most: int) -> bool:
    """True when the bus did not take one of the next `most` letters."""
    async with connected(url) as bus:
        for _ in range(most):
            try:
                await post(bus, posted, size=_LARGE)
            except BusUnavailableError:
                return True
    return False


async def post(bus: Bus, posted: Posted, *, size: int = 200) -> None:
    """One letter. Raises `BusUnavailableError`."""
    number = next(posted.numbers)
    await bus.store(_LETTERS, _text(number, size), message_id=f"letter-{number}")
    posted.letters.add(number)
    posted.answered.set()


async def look_for(url: str, posted: Posted) -> Kept:
    async with connected(url) as bus:
        letters, torn = await _numbers_in(bus, DEAD_LETTERS.name)
        events, torn_events = await _numbers_in(bus, EVENTS.name)
    return Kept(len(posted.letters - letters), torn + torn_events, len(posted.events - events))


async def _write(bus: Bus, posted: Posted) -> None:
    while True:
        await post(bus, posted)
        number = next(posted.numbers)
        await bus.store(_EVENTS, _text(number, 300), message_id=f"event-{number}")
        posted.events.add(number)


async def _numbers_in(bus: Bus, stream: str) -> tuple[set[int], int]:
    """What the stream holds, and how many of it cannot be read."""
    try:
        count = (await bus.stored.stream_info(stream)).state.messages
    except NotFoundError:
        return set(), 0  # a young stream whose own description never reached the disk
    numbers: set[int] = set()
    torn = 0
    subscription = await bus.stored.subscribe(">", stream=stream, ordered_consumer=True)
    for _ in range(count):
        payload = (await subscription.next_msg(timeout=_READ_SECONDS)).data
        number = int(payload.split(b" ", 1)[0] or b"0")
        if payload == _text(number, len(payload)):
            numbers.add(number)
        else:
            torn += 1
    return numbers, torn


def _text(number: int, size: int) -> bytes:
    """The number, and bytes that only it has."""
    head = f"{number} ".encode()
    body = hashlib.sha256(head).hexdigest().encode()
    return (head + body * (size // len(body) + 1))[:size]
