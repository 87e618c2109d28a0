"""The one wrapper around every handler: who is acknowledged, who is answered, and where poison goes.

FastStream's own default terminates a stored message whose handler raised, so a command would be lost; with MANUAL
acknowledgement this middleware decides instead. Stored messages: done -> ack; unreadable -> dead letter and terminate; failed
-> again later, with growing delays, and after `POISON_DELIVERIES` a dead letter. Requests: an unreadable or failed request gets
a `Failure` at once instead of a silence that costs the caller its whole limit.

A dead letter is kept before its message is terminated: if it cannot be kept, the message comes again.
"""

import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import JSONDecodeError
from typing import Any

import structlog
from fast_depends.exceptions import ValidationError as InjectionError
from faststream import BaseMiddleware, ContextRepo
from faststream.message import StreamMessage
from faststream.nats.message import NatsMessage
from pydantic import ValidationError

from vyomo_contracts.messages import Failure, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_service_kit import failpoints
from vyomo_service_kit.redaction import redact_text

log = structlog.get_logger()

RETRY_DELAYS_SECONDS = (0.2, 1.0, 5.0, 15.0, 30.0)
POISON_DELIVERIES = 10


class UnreadableMessageError(Exception):
    """What a decoder of a handler's own raises for a body that it cannot read. Its text says what is wrong, without the content."""


_UNREADABLE = (InjectionError, UnicodeDecodeError, JSONDecodeError, UnreadableMessageError)
"""What FastStream raises for a body that is not JSON or not the handler's message, and our own decoders. A model that fails to
validate inside a handler is that handler's own failure."""
_LONGEST_WHY = 500
_LONGEST_TRACEBACK = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A stored message that a consumer could not take."""

    consumer: str
    """The durable consumer's name."""
    stream: str
    stream_sequence: int
    stored_at: datetime
    """With the two before it, which message this is: a wiped stream counts from 1 again."""
    subject: str
    payload: bytes | None
    """As it came; None when nobody has it any more."""
    why: str
    traceback: str | None = None
    """Credentials removed; None when there was nothing to raise."""
    deliveries: int


KeepDeadLetter = Callable[[DeadLetter], Awaitable[None]]
"""Returns once the letter is kept; keeping it twice is keeping it once."""


class AnsweringMiddleware(BaseMiddleware):
    def __init__(
        self,
        msg: Any,
        /,
        *,
        context: ContextRepo,
        keep: KeepDeadLetter,
        retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    ) -> None:
        super().__init__(msg, context=context)
        self._keep = keep
        self._retry_delays_seconds = retry_delays_seconds

    async def consume_scope(self, call_next: Any, msg: StreamMessage[Any]) -> Any:
        assert isinstance(msg, NatsMessage)
        if _is_stored(msg):
            return await self._settle(call_next, msg)
        try:
            return await call_next(msg)
        except _UNREADABLE as error:
            why = _fault_of(error)
            log.warning("request.unreadable", subject=msg.raw_message.subject, error=why)
            return Failure(problem=Problem(code=ReasonCode.INVALID_FIELD, message=why))
        except Exception:
            log.exception("request.failed", subject=msg.raw_message.subject)
            return Failure(
                problem=Problem(
                    code=ReasonCode.INTERNAL_ERROR, message="the service could not serve this request"
                )
            )

    async def _settle(self, call_next: Any, msg: NatsMessage) -> None:
        try:
            await call_next(msg)
        except _UNREADABLE as error:
            await self._bury(msg, f"unreadable: {_fault_of(error)}")
        except Exception as error:
            deliveries = msg.raw_message.metadata.num_delivered
            if deliveries >= POISON_DELIVERIES:
                trace = redact_text("".join(traceback.format_exception(error)))
                await self._bury(
                    msg, f"failed {deliveries} times: {error!r}", trace=trace[-_LONGEST_TRACEBACK:]
                )
                return
            delays = self._retry_delays_seconds
            delay = delays[min(deliveries, len(delays)) - 1]
            log.exception("message.failed", subject=msg.raw_message.subject, deliveries=deliveries)
            # Jitter spreads the retries of many messages; no outcome depends on it.
            await msg.nack(delay=delay * random.uniform(0.8, 1.2))  # noqa: S311
        else:
            failpoints.reach("message.handled")
            await msg.ack()

    async def _bury(self, msg: NatsMessage, why: str, *, trace: str | None = None) -> None:
        """Keep the message where a person can replay it, then stop its redelivery."""
        raw = msg.raw_message
        place = raw.metadata
        why = " ".join(redact_text(why).split())[:_LONGEST_WHY]
        log.error("message.dead_letter", subject=raw.subject, consumer=place.consumer, why=why)
        await self._keep(
            DeadLetter(
                consumer=place.consumer,
                stream=place.stream,
                stream_sequence=place.sequence.stream,
                stored_at=place.timestamp,
                subject=raw.subject,
                payload=raw.data,
                why=why,
                traceback=trace,
                deliveries=place.num_delivered,
            )
        )
        await msg.reject()


def _fault_of(error: Exception) -> str:
    """What was wrong and where, without the content: a command may carry sealed credentials."""
    cause = error.original_error if isinstance(error, InjectionError) else error
    if isinstance(cause, ValidationError):
        findings = cause.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in findings)[:500]
    if isinstance(cause, UnreadableMessageError):
        return str(cause)
    return f"{type(cause).__name__}: not a JSON message"


def _is_stored(msg: NatsMessage) -> bool:
    return bool(msg.raw_message.reply) and msg.raw_message.reply.startswith("$JS.ACK.")
