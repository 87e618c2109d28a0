"""The net under the dead letters: the bus's own word that a message was given up, kept if nobody has kept it.

Never the mechanism: advisories are core NATS and lost if nobody listens.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from pydantic import BaseModel, ValidationError

from vyomo_contracts.topology import STREAMS
from vyomo_ledger.dead_letters import keep
from vyomo_ledger.writing.dead_letters import is_kept
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.consuming import DeadLetter
from vyomo_service_kit.database import Database, RecordUnavailableError

log = structlog.get_logger()

SUBJECTS: Final = (
    "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
    "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
)
_OURS: Final = frozenset(stream.name for stream in STREAMS)


class _Advisory(BaseModel):
    stream: str
    consumer: str
    stream_seq: int
    deliveries: int
    timestamp: datetime
    type: str = ""


class Advisories:
    def __init__(self, bus: Bus, database: Database, *, queue: str) -> None:
        self._bus = bus
        self._database = database
        self._queue = queue

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        client = self._bus.client
        heard = [await client.subscribe(each, queue=self._queue, cb=self._on_advisory) for each in SUBJECTS]
        try:
            yield
        finally:
            if client.is_connected:
                for subscription in heard:
                    await subscription.unsubscribe()

    async def _on_advisory(self, message: Msg) -> None:
        try:
            advisory = _Advisory.model_validate_json(message.data)
        except ValidationError:
            log.warning("advisory.unreadable", subject=message.subject)
            return
        if advisory.stream not in _OURS:
            return
        try:
            await self._keep(advisory)
        except (RecordUnavailableError, NatsError, OSError, TimeoutError) as error:
            log.warning(
                "advisory.not_kept",
                stream=advisory.stream,
                sequence=advisory.stream_seq,
                why=type(error).__name__,
            )

    async def _keep(self, advisory: _Advisory) -> None:
        async with self._database.connection() as connection:
            if await is_kept(connection, advisory.consumer, advisory.stream, advisory.stream_seq):
                return
        subject, payload, stored_at = "", None, advisory.timestamp
        try:
            stored = await self._bus.stored.get_msg(advisory.stream, advisory.stream_seq)
        except NotFoundError:
            pass  # a work queue lets go of what was terminated
        else:
            subject, payload = stored.subject or "", stored.data or b""
            stored_at = stored.time or stored_at
        log.error("message.given_up", stream=advisory.stream, consumer=advisory.consumer, subject=subject)
        letter = DeadLetter(
            consumer=advisory.consumer,
            stream=advisory.stream,
            stream_sequence=advisory.stream_seq,
            stored_at=stored_at,
            subject=subject,
            payload=payload,
            why=f"given up by the bus: {advisory.type.rpartition('.')[2] or 'advisory'}",
            deliveries=advisory.deliveries,
        )
        async with self._database.connection() as connection:
            await keep(connection, letter)
