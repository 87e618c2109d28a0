"""The one place that draws identifiers."""

import secrets
import threading
from typing import Protocol

from vyomo_contracts.identifiers import BROKER_TAG_MAX_LENGTH, BrokerTag, OrderId
from vyomo_service_kit.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: sorts as the numbers do, no look-alikes


class IdentifierFactory(Protocol):
    def message_id(self) -> str: ...

    def order_id(self, broker: str) -> OrderId: ...

    def broker_tag(self) -> BrokerTag: ...


class TimeOrderedIdentifiers:
    """Identifiers that sort by the millisecond they were made in and never repeat within a process.

    Message and order ids carry 48 bits of time and 80 of chance in 26 characters. Broker tags must fit 15 characters
    (both brokers' limit): 42 bits of time and 33 of chance; the database's unique index has the last word.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def message_id(self) -> str:
        return _base32(self._milliseconds() << 80 | secrets.randbits(80), 26)

    def order_id(self, broker: str) -> OrderId:
        return OrderId(f"{broker.upper()}_{self.message_id()}")

    def broker_tag(self) -> BrokerTag:
        return BrokerTag(_base32(self._milliseconds() << 33 | secrets.randbits(33), BROKER_TAG_MAX_LENGTH))

    def _milliseconds(self) -> int:
        """Never goes back within this process, whatever the wall clock does."""
        with self._lock:
            self._last = max(self._last, int(self._clock.now().timestamp() * 1000))
            return self._last


def _base32(number: int, length: int) -> str:
    characters: list[str] = []
    for _ in range(length):
        characters.append(_ALPHABET[number & 31])
        number >>= 5
    return "".join(reversed(characters))
