"""What arrives on the bus, one method a message; each calls one function of `Mirroring`."""

from typing import Any, ClassVar

import msgspec
from faststream.message import StreamMessage

from vyomo_contracts.commands import SyncPositions, SyncPositionsBatch, SyncReplies, SyncReply
from vyomo_contracts.events import BrokerEvents, PositionChanged
from vyomo_contracts.messages import Envelope, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.consuming import UnreadableMessageError
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.identifiers import IdentifierFactory
from vyomo_sync.mirroring import Mirroring

SOURCE = "sync"


class PositionEvents(Envelope):
    """A `BrokerEvents` envelope, read only as far as positions."""

    TYPE: ClassVar[str] = BrokerEvents.TYPE
    items: tuple[PositionChanged, ...]


class _Kind(msgspec.Struct):
    kind: str


_envelope_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_item_parts = msgspec.json.Decoder(list[msgspec.Raw])
_kind_of = msgspec.json.Decoder(_Kind)


async def decode_positions(message: StreamMessage[Any]) -> dict[str, Any]:
    """Most of an envelope is orders, and reading them would be most of its cost: they are skipped unread.

    Raises:
        UnreadableMessageError: not an envelope of events; it will not be one the next time either.
    """
    try:
        parts = _envelope_parts.decode(message.body)
        items = [
            item
            for item in _item_parts.decode(parts.pop("items"))
            if _kind_of.decode(item).kind == "position"
        ]
        head = {name: msgspec.json.decode(part) for name, part in parts.items()}
        return {**head, "items": [msgspec.json.decode(item) for item in items]}
    except (msgspec.DecodeError, KeyError) as error:
        raise UnreadableMessageError(f"{type(error).__name__}: not an envelope of events") from error


class Handlers:
    def __init__(self, mirroring: Mirroring, clock: Clock, identifiers: IdentifierFactory) -> None:
        self._mirroring = mirroring
        self._clock = clock
        self._identifiers = identifiers

    async def sync_positions(self, batch: SyncPositionsBatch) -> SyncReplies:
        """Mirror each account's positions into the session named with it, and follow them from now on."""
        # One by one: a call a person makes now and then, and one that fails must not undo its neighbours.
        replies = [await self._sync(item) for item in batch.items]
        return SyncReplies(
            id=self._identifiers.message_id(),
            type=SyncReplies.TYPE,
            time=self._clock.now(),
            correlation_id=batch.correlation_id,
            causation_id=batch.id,
            source=SOURCE,
            items=tuple(replies),
        )

    async def broker_events(self, events: PositionEvents) -> None:
        """Carry changed positions of linked accounts into auto_trades."""
        if events.items:
            await self._mirroring.positions_changed([event.position for event in events.items])

    async def _sync(self, item: SyncPositions) -> SyncReply:
        try:
            return await self._mirroring.sync(item)
        except RecordUnavailableError:
            return SyncReply(
                problem=Problem(
                    code=ReasonCode.RECORD_UNAVAILABLE, message="the database cannot be reached; try again"
                )
            )
