"""The write side: what a caller asks for becomes commands in envelopes, answered after the service's commit.

Nothing is promised by a request on the bus, only by its answer; what is not answered in time is told as 503, and the caller
repeats with the same key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from vyomo_contracts import subjects
from vyomo_contracts.commands import (
    AccountReplies,
    AccountReply,
    CancelOrder,
    CancelOrders,
    CreateAccount,
    CreateAccounts,
    ModifyOrder,
    ModifyOrders,
    OrderReplies,
    OrderReply,
    PlaceOrder,
    PlaceOrders,
    SetAccountActive,
    SetAccountEgress,
    SetAccountEgresses,
    SetAccountsActive,
    SyncPositions,
    SyncPositionsBatch,
    SyncReplies,
    SyncReply,
)
from vyomo_contracts.messages import Envelope, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_service_kit.batching import Batcher
from vyomo_service_kit.bus import Bus, BusUnavailableError
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.identifiers import IdentifierFactory

Command = TypeVar("Command")

SOURCE: Final = "gateway"
IN_FLIGHT: Final = 2
PATIENCE_SECONDS: Final = 0.02
"""A second list goes beside the first only when that takes long, such as behind a busy account: two small lists cost more than one."""
LARGEST_BATCH: Final = 256


class Envelopes:
    """Fills in what every message says about itself."""

    def __init__(self, identifiers: IdentifierFactory, clock: Clock) -> None:
        self._identifiers = identifiers
        self._clock = clock

    def head(self, message: type[Envelope]) -> dict[str, Any]:
        message_id = self._identifiers.message_id()
        return {
            "id": message_id,
            "type": message.TYPE,
            "time": self._clock.now(),
            "correlation_id": message_id,
            "source": SOURCE,
        }


class Commands:
    def __init__(self, bus: Bus, envelopes: Envelopes, clock: Clock, *, timeout_seconds: float) -> None:
        self._bus = bus
        self._envelopes = envelopes
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._placing = _batcher(self._place)
        self._cancelling = _batcher(self._cancel)
        self._modifying = _batcher(self._modify)

    def deadline(self) -> datetime:
        """When a command sent now is given up: a service that reads it later must leave it alone."""
        return self._clock.now() + timedelta(seconds=self._timeout_seconds)

    async def place(self, command: PlaceOrder) -> OrderReply:
        return await self._placing.submit(command)

    async def cancel(self, command: CancelOrder) -> OrderReply:
        return await self._timely(self._cancelling.submit(command), subjects.CANCEL_ORDERS)

    async def modify(self, command: ModifyOrder) -> OrderReply:
        return await self._timely(self._modifying.submit(command), subjects.MODIFY_ORDERS)

    async def create_account(self, command: CreateAccount) -> AccountReply:
        message = CreateAccounts(**self._envelopes.head(CreateAccounts), items=(command,))
        return await self._account(subjects.CREATE_ACCOUNTS, message)

    async def set_account_active(self, command: SetAccountActive) -> AccountReply:
        message = SetAccountsActive(**self._envelopes.head(SetAccountsActive), items=(command,))
        return await self._account(subjects.SET_ACCOUNTS_ACTIVE, message)

    async def set_account_egress(self, command: SetAccountEgress) -> AccountReply:
        message = SetAccountEgresses(**self._envelopes.head(SetAccountEgresses), items=(command,))
        return await self._account(subjects.SET_ACCOUNT_EGRESSES, message)

    async def sync_positions(self, command: SyncPositions) -> SyncReply:
        message = SyncPositionsBatch(**self._envelopes.head(SyncPositionsBatch), items=(command,))
        replies = await self._bus.request(
            subjects.SYNC_POSITIONS, message, SyncReplies, timeout_seconds=self._timeout_seconds
        )
        return replies.items[0]

    async def drain(self) -> None:
        """Wait until every order that was sent is answered."""
        await self._placing.drain()
        await self._cancelling.drain()
        await self._modifying.drain()

    async def _place(self, commands: Sequence[PlaceOrder]) -> Sequence[OrderReply]:
        now = self._clock.now()
        timely = tuple(command for command in commands if command.deadline > now)
        if not timely:
            return [_TOO_LATE] * len(commands)
        message = PlaceOrders(**self._envelopes.head(PlaceOrders), items=timely)
        # The oldest has waited for the batch before; nobody is told 503 later than promised.
        seconds = (min(command.deadline for command in timely) - now).total_seconds()
        answered = iter(await self._orders(subjects.PLACE_ORDERS, message, seconds))
        return [next(answered) if command.deadline > now else _TOO_LATE for command in commands]

    async def _cancel(self, commands: Sequence[CancelOrder]) -> Sequence[OrderReply]:
        message = CancelOrders(**self._envelopes.head(CancelOrders), items=tuple(commands))
        return await self._orders(subjects.CANCEL_ORDERS, message)

    async def _modify(self, commands: Sequence[ModifyOrder]) -> Sequence[OrderReply]:
        message = ModifyOrders(**self._envelopes.head(ModifyOrders), items=tuple(commands))
        return await self._orders(subjects.MODIFY_ORDERS, message)

    async def _orders(
        self, subject: str, message: Envelope, seconds: float | None = None
    ) -> Sequence[OrderReply]:
        limit = self._timeout_seconds if seconds is None else seconds
        return (await self._bus.request(subject, message, OrderReplies, timeout_seconds=limit)).items

    async def _timely(self, reply: Awaitable[OrderReply], subject: str) -> OrderReply:
        """The reply, waiting for a turn included, or a refusal within the promised time."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await reply
        except TimeoutError as error:
            raise BusUnavailableError(subject, "too slow") from error

    async def _account(self, subject: str, message: Envelope) -> AccountReply:
        replies = await self._bus.request(
            subject, message, AccountReplies, timeout_seconds=self._timeout_seconds
        )
        return replies.items[0]


def _batcher(
    serve: Callable[[Sequence[Command]], Awaitable[Sequence[OrderReply]]],
) -> Batcher[Command, OrderReply]:
    return Batcher(serve, in_flight=IN_FLIGHT, largest=LARGEST_BATCH, patience_seconds=PATIENCE_SECONDS)


_TOO_LATE: Final = OrderReply(
    problem=Problem(
        code=ReasonCode.BUS_UNAVAILABLE,
        message="the message bus was too slow; the order was not sent, try again",
    )
)
