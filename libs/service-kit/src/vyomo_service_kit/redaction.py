"""Text without credentials: known by their look, or because this process holds them right now."""

import re
import sys
import threading
import traceback
from collections import OrderedDict
from types import TracebackType
from typing import Final

from pydantic import SecretStr

REDACTED: Final = "[redacted]"
SHORTEST: Final = 6
"""A PIN of four digits is in half of all lines by chance: short secrets are kept out by the name of their field alone."""
REMEMBERED: Final = 1_024

_LOOKS_SECRET = re.compile(
    r"(vy_(?:live|test)_[A-Za-z0-9]{8}_)[A-Za-z0-9_-]+"  # our API keys
    r"|(eyJ[\w-]{8,}\.)[\w-]+\.[\w-]+"  # JSON web tokens
    r"|(://[^/\s:@]*:)[^@\s/]+(?=@)"  # passwords in URLs
    r"|((?:access_token|request_token|refresh_token|feed_token|api_key|api_secret|checksum|totp)=)[^&\s]+"
    # Brokers' tokens: 32 and more letters and digits in one run. Our own identifiers have no small letters or are shorter.
    r"|(?<![A-Za-z0-9_/.-])(?=[A-Z0-9]*[a-z])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32,}(?![A-Za-z0-9_-])"
)


class SecretsInUse:
    """What was opened, sealed or issued in this process lately; the oldest is forgotten first."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._values: OrderedDict[str, None] = OrderedDict()

    def add(self, secret: SecretStr) -> None:
        value = secret.get_secret_value()
        if len(value) < SHORTEST:
            return
        self._values[value] = None
        self._values.move_to_end(value)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def remove_from(self, text: str) -> str:
        # The longest first: one secret may be a part of another.
        found = sorted((value for value in self._values if value in text), key=len, reverse=True)
        for value in found:
            text = text.replace(value, REDACTED)
        return text


SECRETS_IN_USE: Final = SecretsInUse()
"""One a process, as there is one log a process."""


def redact_text(text: str) -> str:
    """The text with everything replaced that is a credential in use or looks like one."""
    known = SECRETS_IN_USE.remove_from(text)
    return _LOOKS_SECRET.sub(
        lambda match: next((group for group in match.groups() if group), "") + REDACTED, known
    )


def redact_tracebacks() -> None:
    """What ends a thread or the process is written without credentials too; it passes no logger."""

    def write(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(redact_text("".join(traceback.format_exception(kind, error, trace))))

    def write_of_thread(failed: threading.ExceptHookArgs) -> None:
        if not issubclass(failed.exc_type, SystemExit):
            write(failed.exc_type, failed.exc_value, failed.exc_traceback)

    sys.excepthook = write
    threading.excepthook = write_of_thread
