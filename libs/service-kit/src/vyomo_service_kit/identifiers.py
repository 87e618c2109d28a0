"""The one place that draws identifiers."""

import secrets
from typing import Protocol

from vyomo_contracts.identifiers import BROKER_TAG_MAX_LENGTH, BrokerTag, OrderId
from vyomo_service_kit.clock import Clock

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: sorts as the numbers do, no look-alikes
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


class IdentifierFactory(Protocol):
    def message_id(self) -> str: ...

    def order_id(self, broker: str) -> OrderId: ...

    def broker_tag(self) -> BrokerTag: ...


class TimeOrderedIdentifiers:
    """Identifiers that sort in the order one process made them in, and across processes by the millisecond.

    Message and order ids carry 48 bits of time and 80 of chance in 26 characters. Broker tags must fit 15 characters (both
    brokers' limit): 42 bits of time and 33 of chance. Within a millisecond, and while a clock that was set back catches up, they
    count on from the last one, so a process never repeats itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_message = 0
        self._last_tag = 0

    def message_id(self) -> str:
        self._last_message = max(self._drawn(80), self._last_message + 1)
        return _base32(self._last_message, 26)

    def order_id(self, broker: str) -> OrderId:
        return OrderId(f"{broker.upper()}_{self.message_id()}")

    def broker_tag(self) -> BrokerTag:
        self._last_tag = max(self._drawn(33), self._last_tag + 1)
        return BrokerTag(_base32(self._last_tag, BROKER_TAG_MAX_LENGTH))

    def _drawn(self, bits: int) -> int:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return milliseconds << bits | secrets.randbits(bits)


def _base32(number: int, length: int) -> str:
    """Two characters a step: an order draws half a dozen identifiers on its way."""
    pairs: list[str] = []
    for _ in range((length + 1) // 2):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    return "".join(reversed(pairs))[-length:]
