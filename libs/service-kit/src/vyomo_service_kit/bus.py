"""The edge to NATS: one connection per process, FastStream for typed handlers, the raw client where a message must be cheap.

`Bus.request` raises `BusUnavailableError` within the given limit; nothing a caller does can hang on the bus.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

import structlog
from fast_depends.pydantic import PydanticSerializer
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, SlowConsumerError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as JetStreamAckPolicy
from nats.js.api import ConsumerConfig, PersistMode, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError
from pydantic import BaseModel

from vyomo_contracts import subjects
from vyomo_contracts.messages import Envelope
from vyomo_contracts.topology import STREAMS, Consumer, Stream
from vyomo_service_kit.consuming import (
    RETRY_DELAYS_SECONDS,
    AnsweringMiddleware,
    DeadLetter,
    KeepDeadLetter,
)
from vyomo_service_kit.draining import drain
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

Answer = TypeVar("Answer", bound=BaseModel)

_JSON_HEADERS = {"content-type": "application/json"}
_STORE_SECONDS = 5.0
_OVERLAPS = 10100
"""The server's code for a consumer of a work queue whose subjects another consumer has already."""
_LOOK_FOR_CONSUMER_SECONDS = 0.1
_DRAIN_SECONDS = 10.0
"""Of the fifteen that a service has to stop in."""


def encoded(message: BaseModel) -> bytes:
    """A message as JSON. Absent values are left out: half of an order's fields are, and bytes are what a busy bus spends CPU on."""
    return message.model_dump_json(exclude_none=True).encode()


class BusUnavailableError(UnavailableError):
    """The bus is down, or nobody answered in time."""

    def __init__(self, subject: str, why: str) -> None:
        super().__init__(f"no answer on {subject}: {why}")
        self.subject = subject


class NoAnswerError(BusUnavailableError):
    """The bus is there, but whoever should answer did not in time: whether the request was carried out is unknown."""


class RequestRefusedError(Exception):
    """The server answered, but not with the expected message: it could not read the request, or failed."""

    def __init__(self, subject: str, answer: bytes) -> None:
        super().__init__(f"unexpected answer on {subject}: {answer[:500]!r}")


class Bus:
    """Construct, register handlers on `broker`, then `open`."""

    def __init__(
        self, url: str, *, name: str, retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS
    ) -> None:
        self._name = name
        self.keep_dead_letter: KeepDeadLetter | None = None
        """Where a consumer of stored messages keeps those it cannot take; a consumer has one."""
        self._reconnected: list[Callable[[], Awaitable[None]]] = []
        self._missed: list[Callable[[], Awaitable[None]]] = []
        self.broker = NatsBroker(
            url,
            name=name,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # pyright: ignore[reportArgumentType] - nats-py takes fractions of a second
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
            reconnected_cb=self._on_reconnected,
            disconnected_cb=self._on_disconnected,
            error_cb=self._on_error,
            middlewares=(
                partial(AnsweringMiddleware, keep=self._bury, retry_delays_seconds=retry_delays_seconds),
            ),
            # Its own error for an unfit body: a model that fails inside a handler must not look like one.
            serializer=PydanticSerializer(use_fastdepends_errors=True),
            logger=None,
        )
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            raise BusUnavailableError("(any)", "not connected yet")
        return self._client

    @property
    def stored(self) -> JetStreamContext:
        return self.client.jetstream(timeout=_STORE_SECONDS)

    @property
    def is_connected(self) -> bool:
        return self._client is not None and self._client.is_connected

    def on_reconnected(self, action: Callable[[], Awaitable[None]]) -> None:
        """Called after each reconnect: whatever was published meanwhile was missed."""
        self._reconnected.append(action)

    def on_missed(self, action: Callable[[], Awaitable[None]]) -> None:
        """Called when this process was too slow and messages that came for it were dropped."""
        self._missed.append(action)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Bus"]:
        """Connect and start the registered handlers; on leaving, finish running handlers and flush."""
        self._client = await self.broker.connect()
        await self.broker.start()
        await self._client.subscribe(subjects.health(self._name), cb=self._answer_health)
        await self.until_subscribed()
        try:
            yield self
        finally:
            await self.broker.stop()

    @asynccontextmanager
    async def draining(self) -> AsyncGenerator[None]:
        """On leaving, take no more messages and finish those that have arrived, while everything they need is still open.

        Enter it last. A message that was received and then dropped would be a caller who waits for nothing, or a redelivery.
        """
        try:
            yield
        finally:
            try:
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await drain(self.broker)
            except (NatsError, OSError, TimeoutError) as error:
                log.warning("bus.not_drained", why=type(error).__name__)

    async def connect(self) -> None:
        """Connect without starting handlers, for those who must declare or wait for streams first."""
        self._client = await self.broker.connect()

    async def until_subscribed(self, *, limit_seconds: int = 10) -> None:
        """Returns once the server knows every subscription made so far: whoever hears that we are ready may ask at once."""
        # A flush writes its PING before commands that still wait for nats-py's flusher; the first gives the flusher its turn.
        await self.client.flush(timeout=limit_seconds)
        await self.client.flush(timeout=limit_seconds)

    async def request(
        self, subject: str, message: Envelope, answer: type[Answer], *, timeout_seconds: float
    ) -> Answer:
        """Ask whoever serves `subject`.

        Raises:
            BusUnavailableError: not connected, nobody serves it, or no answer in time.
            RequestRefusedError: the answer is not an `answer`.
        """
        if not self.is_connected:
            # nats-py would keep the message and send it after the reconnect, long after the caller was told 503.
            raise BusUnavailableError(subject, "not connected")
        try:
            response = await self.client.request(
                subject, encoded(message), timeout=timeout_seconds, headers=_JSON_HEADERS
            )
        except NoRespondersError as error:
            raise BusUnavailableError(subject, "nobody serves it") from error
        except TimeoutError as error:  # nats-py's own time-out is one of these
            raise NoAnswerError(subject, "no answer in time") from error
        except (NatsError, OSError) as error:
            raise BusUnavailableError(subject, type(error).__name__) from error
        try:
            return answer.model_validate_json(response.data)
        except ValueError as error:
            raise RequestRefusedError(subject, response.data) from error

    async def publish(self, subject: str, message: Envelope) -> None:
        """Fire and forget, for hints and ticks. Dropped while the bus is down; never fails its caller, whose work is done."""
        if not self.is_connected:
            return
        try:
            await self.client.publish(subject, encoded(message), headers=_JSON_HEADERS)
        except (NatsError, OSError) as error:
            log.warning("bus.not_published", subject=subject, why=type(error).__name__)

    async def store(self, subject: str, payload: bytes, *, message_id: str) -> None:
        """Publish into a stream and wait until it is stored.

        Raises:
            BusUnavailableError: not stored as far as we know; repeat with the same id.
        """
        if not self.is_connected:
            raise BusUnavailableError(subject, "not connected")
        try:
            await self.stored.publish(
                subject, payload, timeout=_STORE_SECONDS, headers={**_JSON_HEADERS, "Nats-Msg-Id": message_id}
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise BusUnavailableError(subject, type(error).__name__) from error

    async def _bury(self, letter: DeadLetter) -> None:
        """In the record first, where it can be replayed; the stream's copy is for whoever listens."""
        if self.keep_dead_letter is None:
            # Nowhere to keep it: the message goes on coming rather than being lost.
            raise RuntimeError(f"{self._name} consumes {letter.stream} and keeps no dead letters")
        await self.keep_dead_letter(letter)
        try:
            await self.stored.publish(
                subjects.dead_letters(letter.consumer),
                letter.payload or b"",
                headers={"Vyomo-Subject": letter.subject, "Vyomo-Why": letter.why},
            )
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("message.dead_letter_not_copied", consumer=letter.consumer, why=type(error).__name__)

    async def _answer_health(self, message: Msg) -> None:
        """Answered from the event loop that serves everything else: a blocked service does not answer."""
        await message.respond(self._name.encode())

    async def _on_reconnected(self) -> None:
        log.info("bus.reconnected")
        await self._run(self._reconnected)

    async def _on_disconnected(self) -> None:
        log.warning("bus.disconnected")

    async def _on_error(self, error: Exception) -> None:
        log.warning("bus.error", error=repr(error))
        if isinstance(error, SlowConsumerError):
            await self._run(self._missed)

    async def _run(self, actions: Sequence[Callable[[], Awaitable[None]]]) -> None:
        for action in actions:
            try:
                await action()
            except Exception:
                log.exception("bus.action_failed")


async def declare_topology(stored: JetStreamContext, consumers: tuple[Consumer, ...]) -> frozenset[str]:
    """Create what is missing and update what differs. Safe to repeat: after a wipe this brings everything back.

    Returns the names of the streams that were missing.
    """
    created: set[str] = set()
    for stream in STREAMS:
        config = _stream_config(stream)
        try:
            known = (await stored.stream_info(stream.name)).config
        except NotFoundError:
            await stored.add_stream(config=config)
            log.info("topology.stream_created", stream=stream.name)
            created.add(stream.name)
            continue
        if (known.subjects, known.max_bytes, known.max_age) != (
            config.subjects,
            config.max_bytes,
            config.max_age,
        ):
            await stored.update_stream(config=config)
            log.info("topology.stream_updated", stream=stream.name)
    for consumer in consumers:
        try:
            await stored.add_consumer(consumer.stream, config=consumer_config(consumer))
        except BadRequestError as error:
            if error.err_code != _OVERLAPS:
                raise
            await _remove_others(stored, consumer.stream, consumers)
            await stored.add_consumer(consumer.stream, config=consumer_config(consumer))
    return frozenset(created)


async def _remove_others(stored: JetStreamContext, stream: str, consumers: tuple[Consumer, ...]) -> None:
    """An earlier version's consumers, or those of another number of partitions, take what is now for these."""
    declared = {consumer.durable_name for consumer in consumers if consumer.stream == stream}
    for known in await stored.consumers_info(stream):
        if known.name not in declared:
            await stored.delete_consumer(stream, known.name)
            log.info("topology.consumer_removed", stream=stream, consumer=known.name)


def _stream_config(stream: Stream) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=list(stream.subjects),
        storage=StorageType(stream.storage),
        retention=RetentionPolicy(stream.retention),
        max_age=stream.max_age,
        max_bytes=stream.max_bytes,
        duplicate_window=stream.duplicate_window,
        num_replicas=stream.num_replicas,
        persist_mode=PersistMode.ASYNC if stream.persist_mode == "async" else None,
    )


def consumer_config(consumer: Consumer) -> ConsumerConfig:
    """A push consumer with a fixed delivery subject and group: when its stream is wiped and declared anew, subscribers go on."""
    return ConsumerConfig(
        durable_name=consumer.durable_name,
        deliver_subject=consumer.deliver_subject,
        deliver_group=consumer.durable_name,
        filter_subject=consumer.filter_subject,
        ack_policy=JetStreamAckPolicy.EXPLICIT,
        ack_wait=consumer.ack_wait,
        max_ack_pending=consumer.max_ack_pending,
        max_deliver=consumer.max_deliver,
    )


async def wait_for_consumer(
    stored: JetStreamContext, consumer: Consumer, *, limit_seconds: float = 30
) -> None:
    """Wait until the owner of the topology has declared the consumer: at a first start every service starts at once."""
    async with asyncio.timeout(limit_seconds):
        while True:
            with suppress(NotFoundError):
                await stored.consumer_info(consumer.stream, consumer.durable_name)
                return
            await asyncio.sleep(_LOOK_FOR_CONSUMER_SECONDS)
