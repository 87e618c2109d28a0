"""The one wrapper around every handler: who is acknowledged, who is answered, and where poison goes.

FastStream's own default terminates a stored message whose handler raised, so a command would be lost; with MANUAL
acknowledgement this middleware decides instead. Stored messages: done -> ack; unreadable -> dead letter and terminate; failed
-> again later, with growing delays, and after `POISON_DELIVERIES` a dead letter. Requests: an unreadable or failed request gets
a `Failure` at once instead of a silence that costs the caller its whole limit.
"""

import random
from collections.abc import Sequence
from json import JSONDecodeError
from typing import Any

import structlog
from fast_depends.exceptions import ValidationError as InjectionError
from faststream import BaseMiddleware, ContextRepo
from faststream.message import StreamMessage
from faststream.nats.message import NatsMessage
from pydantic import ValidationError

from vyomo_contracts import subjects
from vyomo_contracts.messages import Failure, Problem
from vyomo_contracts.reasons import ReasonCode

log = structlog.get_logger()

RETRY_DELAYS_SECONDS = (0.2, 1.0, 5.0, 15.0, 30.0)
POISON_DELIVERIES = 10

_UNREADABLE = (InjectionError, UnicodeDecodeError, JSONDecodeError)
"""What FastStream raises for a body that is not JSON or not the handler's message. A model that fails to validate inside a
handler is that handler's own failure."""


class AnsweringMiddleware(BaseMiddleware):
    def __init__(
        self,
        msg: Any,
        /,
        *,
        context: ContextRepo,
        retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    ) -> None:
        super().__init__(msg, context=context)
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
                await self._bury(msg, f"failed {deliveries} times: {error!r}")
                return
            delays = self._retry_delays_seconds
            delay = delays[min(deliveries, len(delays)) - 1]
            log.exception("message.failed", subject=msg.raw_message.subject, deliveries=deliveries)
            # Jitter spreads the retries of many messages; no outcome depends on it.
            await msg.nack(delay=delay * random.uniform(0.8, 1.2))  # noqa: S311
        else:
            await msg.ack()

    async def _bury(self, msg: NatsMessage, why: str) -> None:
        """Keep the message where a person can replay it, then stop its redelivery."""
        raw = msg.raw_message
        consumer = raw.metadata.consumer
        log.error("message.dead_letter", subject=raw.subject, consumer=consumer, why=why[:500])
        headers = {"Vyomo-Subject": raw.subject, "Vyomo-Why": " ".join(why.split())[:500]}
        # The message's own connection; nats-py offers no public way to it.
        stored = raw._client.jetstream()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        await stored.publish(subjects.dead_letters(consumer), raw.data, headers=headers)
        await msg.reject()


def _fault_of(error: Exception) -> str:
    """What was wrong and where, without the content: a command may carry sealed credentials."""
    cause = error.original_error if isinstance(error, InjectionError) else error
    if isinstance(cause, ValidationError):
        findings = cause.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in findings)[:500]
    return f"{type(cause).__name__}: not a JSON message"


def _is_stored(msg: NatsMessage) -> bool:
    return bool(msg.raw_message.reply) and msg.raw_message.reply.startswith("$JS.ACK.")
