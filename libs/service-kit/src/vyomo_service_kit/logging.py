"""Structured logs: dotted event names, values as keywords, secrets removed before anything is written."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Literal, cast

import orjson
import structlog

from vyomo_service_kit.redaction import REDACTED, redact_text, redact_tracebacks

_SECRET_NAMES = re.compile(
    r"(secret|password|token|pepper|api_?key$|authorization|cookie|totp|pin$|sealed)", re.IGNORECASE
)
_PLAIN = (int, float, bool, datetime, type(None))


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = _without_secrets(name, value)
    return event


def _without_secrets(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name):
        return REDACTED
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        fields = cast("Mapping[object, object]", value)
        return {str(key): _without_secrets(str(key), each) for key, each in fields.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_secrets(name, each) for each in cast("Iterable[object]", value)]
    # Anything else is written as its own words, which may quote a secret.
    return value if isinstance(value, _PLAIN) else redact_text(repr(value))


def configure_logging(service: str, *, log_format: Literal["json", "console"], level: str = "info") -> None:
    """One JSON object a line on standard output (or a readable line), the service's name bound to each."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    if log_format == "json":
        renderer: Any = structlog.processors.JSONRenderer(serializer=orjson.dumps)
        factory: Any = structlog.BytesLoggerFactory()
    else:
        renderer = structlog.dev.ConsoleRenderer()
        factory = structlog.PrintLoggerFactory()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    _route_standard_library(threshold)
    redact_tracebacks()


class _ToStructlog(logging.Handler):
    """Libraries log through the standard library; their lines pass the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.name, message=record.getMessage(), exc_info=record.exc_info or None)


def _route_standard_library(threshold: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_ToStructlog()]
    root.setLevel(max(threshold, logging.WARNING))
    sys.stdout.flush()
