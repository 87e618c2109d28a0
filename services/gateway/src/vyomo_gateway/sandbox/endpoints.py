from typing import Annotated, Final

from fastapi import APIRouter, Body

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.documentation import ACCOUNT_ERRORS, BODY_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.requests import AccountNumber, GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.sandbox import examples
from vyomo_gateway.sandbox.schemas import SandboxAnswer, SandboxBody
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api/brokers/accounts", tags=["accounts"], route_class=GatewayRoute)

NEVER_KEPT: Final = {"Cache-Control": "no-store"}


@router.post(
    "/{account_id:int}/sandbox",
    summary="Credentials with which a program for Zerodha or Angel One trades on this paper account",
    status_code=201,
    response_model=None,
    responses=answers(
        SandboxAnswer,
        examples.OPENED,
        *ACCOUNT_ERRORS,
        ReasonCode.NOT_A_PAPER_ACCOUNT,
        ReasonCode.ACCOUNT_INACTIVE,
        ReasonCode.SERVICE_UNAVAILABLE,
        *BODY_ERRORS,
        status=201,
    ),
)
async def open_sandbox(
    account_id: AccountNumber,
    body: Annotated[SandboxBody, Body(openapi_examples=examples.REQUESTS)],
    caller: CurrentCaller,
    services: Serving,
) -> JsonResponse:
    view = await services.sandbox.open(caller, account_id, body)
    return JsonResponse(SandboxAnswer(sandbox=view), 201, NEVER_KEPT)
