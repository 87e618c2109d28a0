from typing import Annotated

from fastapi import APIRouter, Query

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.documentation import ACCOUNT_ERRORS, BODY_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.requests import LARGEST_ID, GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.risk import examples
from vyomo_gateway.risk.schemas import (
    ExitAllAnswer,
    ExitAllBody,
    KillBody,
    RiskLimitsAnswer,
    RiskLimitsBody,
    RiskStateAnswer,
)
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api/risk", tags=["risk"], route_class=GatewayRoute)

OfAccount = Annotated[
    int | None,
    Query(
        alias="accountId",
        ge=1,
        le=LARGEST_ID,
        description="The limits of this account; without it, those of all your accounts",
    ),
]


@router.get(
    "/limits",
    summary="Limits, as set and as they apply",
    response_model=None,
    responses=answers(RiskLimitsAnswer, examples.LIMITS, *ACCOUNT_ERRORS),
)
async def read_limits(caller: CurrentCaller, services: Serving, account_id: OfAccount = None) -> JsonResponse:
    return JsonResponse(await services.risk.limits(caller, account_id))


@router.put(
    "/limits",
    summary="Replace the limits of all your accounts, or of one",
    description="The level's limits are replaced as a whole. They hold for every order accepted after the answer. An account's own "
    "go before yours, yours before the installation's.",
    response_model=None,
    responses=answers(
        RiskLimitsAnswer,
        examples.LIMITS,
        *ACCOUNT_ERRORS,
        ReasonCode.LIMIT_ABOVE_BROKERS,
        *BODY_ERRORS,
    ),
)
async def replace_limits(
    body: RiskLimitsBody, caller: CurrentCaller, services: Serving, account_id: OfAccount = None
) -> JsonResponse:
    return JsonResponse(await services.risk.set_limits(caller, account_id, body))


@router.get(
    "/state",
    summary="What your accounts may do, and why",
    response_model=None,
    responses=answers(RiskStateAnswer, examples.STATE),
)
async def read_state(caller: CurrentCaller, services: Serving) -> JsonResponse:
    return JsonResponse(await services.risk.state(caller))


@router.post(
    "/kill",
    summary="Halt, restrain or release your accounts",
    description="HALTED: when this answers, nothing new leaves any more, neither entries nor exits; new orders are DENIED, waiting "
    "ones end, and what a broker holds is told to be cancelled. REDUCING: only orders that bring a position closer to zero. ACTIVE "
    "releases this switch; the most restrictive one that covers an account holds. Positions stay as they are: see exit-all.",
    response_model=None,
    responses=answers(RiskStateAnswer, examples.STATE, *ACCOUNT_ERRORS, *BODY_ERRORS),
)
async def kill(body: KillBody, caller: CurrentCaller, services: Serving) -> JsonResponse:
    return JsonResponse(await services.risk.kill(caller, body))


@router.post(
    "/exit-all",
    summary="Close every open position at the market",
    description="Places one market order for each position (several above the freeze quantity), less what open orders close already. "
    "They are orders like any other: limits and the trading state apply, so release a HALT to REDUCING first. The same key never "
    "closes a position twice: with `complete` false, repeat what has no `order` with the same key; one that was denied needs another.",
    response_model=None,
    responses=answers(ExitAllAnswer, examples.EXITS, *ACCOUNT_ERRORS, *BODY_ERRORS),
)
async def exit_all(body: ExitAllBody, caller: CurrentCaller, services: Serving) -> JsonResponse:
    return JsonResponse(await services.risk.exit_all(caller, body))
