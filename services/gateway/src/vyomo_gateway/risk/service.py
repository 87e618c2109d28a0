"""Limits, switches and exit-all, in the name of a caller and over the caller's own accounts."""

from collections.abc import Mapping
from types import NoneType
from typing import Final

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.risk_commands import (
    ExitAll,
    ExitReply,
    ReadRisk,
    RiskReply,
    RiskView,
    SetRiskLimits,
    SwitchTrading,
)
from vyomo_contracts.vocabulary import Broker, ControlScope
from vyomo_gateway.edge.problems import InvalidRequestError, RefusedError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.risk.commands import RiskCommands
from vyomo_gateway.risk.schemas import (
    ExitAllAnswer,
    ExitAllBody,
    ExitView,
    KillBody,
    RiskLimitsAnswer,
    RiskLimitsBody,
    RiskStateAnswer,
)

_ID_OF_SCOPE: Final[Mapping[ControlScope, tuple[type, str]]] = {
    ControlScope.GLOBAL: (NoneType, "no id goes with the scope global"),
    ControlScope.BROKER: (Broker, "the scope broker needs the broker's word as id"),
    ControlScope.ACCOUNT: (int, "the scope account needs the account's number as id"),
}


class RiskService:
    """Raises, from all:
    RefusedError: no such account, or a limit that cannot be.
    BusUnavailableError: nothing is known to have been done; repeating it is safe.
    """

    def __init__(self, commands: RiskCommands) -> None:
        self._commands = commands

    async def limits(self, caller: Caller, account_id: int | None) -> RiskLimitsAnswer:
        command = ReadRisk(principal=caller.principal, account_id=account_id)
        return RiskLimitsAnswer.of(_risk_in(await self._commands.read(command)))

    async def set_limits(
        self, caller: Caller, account_id: int | None, body: RiskLimitsBody
    ) -> RiskLimitsAnswer:
        command = SetRiskLimits(
            principal=caller.principal, account_id=account_id, limits=RiskLimits(**body.model_dump())
        )
        return RiskLimitsAnswer.of(_risk_in(await self._commands.set_limits(command)))

    async def state(self, caller: Caller) -> RiskStateAnswer:
        return RiskStateAnswer.of(_risk_in(await self._commands.read(ReadRisk(principal=caller.principal))))

    async def kill(self, caller: Caller, body: KillBody) -> RiskStateAnswer:
        """When this returns, nothing is sent any more that the state forbids."""
        if not isinstance(body.id, _ID_OF_SCOPE[body.scope][0]):
            raise InvalidRequestError.one(ReasonCode.INVALID_FIELD, "id", _ID_OF_SCOPE[body.scope][1])
        command = SwitchTrading(
            principal=caller.principal,
            scope=body.scope,
            scope_id="" if body.id is None else str(body.id),
            state=body.state,
            reason=body.reason,
        )
        return RiskStateAnswer.of(_risk_in(await self._commands.switch(command)))

    async def exit_all(self, caller: Caller, body: ExitAllBody) -> ExitAllAnswer:
        command = ExitAll(principal=caller.principal, account_id=body.account_id, idempotency_key=body.key)
        reply = await self._commands.exit_all(command)
        if reply.problem is not None:
            raise RefusedError(reply.problem)
        return _exits_of(reply)


def _risk_in(reply: RiskReply) -> RiskView:
    if reply.problem is not None:
        raise RefusedError(reply.problem)
    assert reply.risk is not None
    return reply.risk


def _exits_of(reply: ExitReply) -> ExitAllAnswer:
    complete = all(exit_.problem is None for exit_ in reply.exits)
    return ExitAllAnswer(complete=complete, exits=[ExitView.of(exit_) for exit_ in reply.exits])
