"""Asking the order-router about limits and switches. Rare calls of a person or a guard, so each is a message of its own."""

from typing import TypeVar

from vyomo_contracts import subjects
from vyomo_contracts.messages import Envelope
from vyomo_contracts.risk_commands import (
    ExitAll,
    ExitAllBatch,
    ExitReplies,
    ExitReply,
    ReadRisk,
    ReadRiskBatch,
    RiskReplies,
    RiskReply,
    SetRiskLimits,
    SetRiskLimitsBatch,
    SwitchTrading,
    SwitchTradingBatch,
)
from vyomo_gateway.commands import Envelopes
from vyomo_service_kit.bus import Bus

Replies = TypeVar("Replies", RiskReplies, ExitReplies)


class RiskCommands:
    def __init__(self, bus: Bus, envelopes: Envelopes, *, timeout_seconds: float) -> None:
        self._bus = bus
        self._envelopes = envelopes
        self._timeout_seconds = timeout_seconds

    async def switch(self, command: SwitchTrading) -> RiskReply:
        message = SwitchTradingBatch(**self._envelopes.head(SwitchTradingBatch), items=(command,))
        return (await self._ask(subjects.SWITCH_TRADING, message, RiskReplies)).items[0]

    async def set_limits(self, command: SetRiskLimits) -> RiskReply:
        message = SetRiskLimitsBatch(**self._envelopes.head(SetRiskLimitsBatch), items=(command,))
        return (await self._ask(subjects.SET_RISK_LIMITS, message, RiskReplies)).items[0]

    async def read(self, command: ReadRisk) -> RiskReply:
        message = ReadRiskBatch(**self._envelopes.head(ReadRiskBatch), items=(command,))
        return (await self._ask(subjects.READ_RISK, message, RiskReplies)).items[0]

    async def exit_all(self, command: ExitAll) -> ExitReply:
        message = ExitAllBatch(**self._envelopes.head(ExitAllBatch), items=(command,))
        return (await self._ask(subjects.EXIT_ALL, message, ExitReplies)).items[0]

    async def _ask(self, subject: str, message: Envelope, replies: type[Replies]) -> Replies:
        return await self._bus.request(subject, message, replies, timeout_seconds=self._timeout_seconds)
