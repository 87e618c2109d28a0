"""Switches and limits, as their owner asks for them. A person's switch covers the person's own accounts and no others."""

import asyncio
from collections.abc import Awaitable, Sequence

import structlog

from vyomo_contracts.messages import Principal, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk_commands import ReadRisk, RiskReply, RiskView, SetRiskLimits, SwitchTrading
from vyomo_contracts.vocabulary import Broker, ControlScope
from vyomo_ledger.writing import Controls, NoSuchAccountError, Switch
from vyomo_order_router.adapters.risk import RiskStore
from vyomo_order_router.placing import account_missing, record_unavailable
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError

log = structlog.get_logger()


class Controlling:
    """`switched` is set after each switch: what was pending is then seen to."""

    def __init__(self, controls: Controls, store: RiskStore, clock: Clock, switched: asyncio.Event) -> None:
        self._controls = controls
        self._store = store
        self._clock = clock
        self._switched = switched

    async def switch(self, commands: Sequence[SwitchTrading]) -> list[RiskReply]:
        return [await _answered(self._throw(command)) for command in commands]

    async def set_limits(self, commands: Sequence[SetRiskLimits]) -> list[RiskReply]:
        return [await _answered(self._set(command)) for command in commands]

    async def read(self, commands: Sequence[ReadRisk]) -> list[RiskReply]:
        return [await _answered(self._view(command.principal, command.account_id)) for command in commands]

    async def _throw(self, command: SwitchTrading) -> Problem | RiskView:
        problem = _problem_of(command)
        if problem is not None:
            return problem
        switch = Switch(
            user_id=command.principal.user_id,
            scope=command.scope,
            scope_id=command.scope_id,
            state=command.state,
            reason=command.reason,
            actor=command.principal.key_id,
            principal=command.principal,
        )
        await self._controls.throw(switch, self._clock.now())
        self._switched.set()
        return await self._view(command.principal, None)

    async def _set(self, command: SetRiskLimits) -> Problem | RiskView:
        principal, account_id, limits = command.principal, command.account_id, command.limits
        if account_id is not None and limits.orders_per_second is not None:
            accounts = await self._store.accounts({account_id})
            account = accounts.get(account_id)
            if account is None or account.user_id != principal.user_id:
                return account_missing(account_id)
            rate = self._store.rates[account.broker]
            if rate.is_brokers and limits.orders_per_second > rate.per_second:
                return Problem(
                    code=ReasonCode.LIMIT_ABOVE_BROKERS,
                    field="ordersPerSecond",
                    message=f"{account.broker} takes at most {rate.per_second} orders a second; no setting raises that",
                    detail={"limit": rate.per_second, "value": limits.orders_per_second},
                )
        await self._controls.set_limits(
            principal.user_id,
            account_id,
            limits,
            actor=principal.key_id,
            at=self._clock.now(),
            principal=principal,
        )
        return await self._view(principal, account_id)

    async def _view(self, principal: Principal, account_id: int | None) -> RiskView:
        user_id = principal.user_id
        accounts = await self._store.states(user_id, account_id)
        level = await self._store.level(user_id, account_id)
        if account_id is None:
            effective = self._store.of_user(level)
        else:
            if not accounts:
                raise NoSuchAccountError(account_id)
            # Another router may have changed them.
            self._store.forget([account_id])
            effective = (await self._store.accounts({account_id}))[account_id].limits
        controls = await self._store.controls(user_id, account_id)
        return RiskView(limits=level, effective=effective, accounts=tuple(accounts), controls=tuple(controls))


async def _answered(serving: Awaitable[Problem | RiskView]) -> RiskReply:
    try:
        answer = await serving
    except NoSuchAccountError as error:
        return RiskReply(problem=account_missing(error.account_id))
    except RecordUnavailableError as error:
        log.warning("risk.record_unavailable", why=str(error))
        return RiskReply(problem=record_unavailable())
    return RiskReply(problem=answer) if isinstance(answer, Problem) else RiskReply(risk=answer)


def _problem_of(command: SwitchTrading) -> Problem | None:
    """What the switch names must be something there is."""
    match command.scope:
        case ControlScope.GLOBAL:
            fits, what = not command.scope_id, "id does not go with the scope global; leave it out"
        case ControlScope.BROKER:
            fits, what = command.scope_id in set(Broker), f"id must be one of {', '.join(Broker)}"
        case ControlScope.ACCOUNT:
            fits, what = command.scope_id.isdecimal(), "id must be the number of an account"
    return None if fits else Problem(code=ReasonCode.INVALID_FIELD, field="id", message=what)
