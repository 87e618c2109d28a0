from typing import Annotated, Final

from fastapi import APIRouter, Body, Query
from msgspec import UNSET

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.accounts.egress import EgressBody
from vyomo_gateway.accounts.examples import EGRESSES, SWITCHES
from vyomo_gateway.accounts.schemas import (
    AccountAnswer,
    AccountBody,
    AccountChanges,
    AccountsAnswer,
    AccountView,
)
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import (
    ACCOUNT_ERRORS,
    BODY_ERRORS,
    COMMAND_ERRORS,
    PARAMETER_ERRORS,
    answers,
)
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.paging import Paged
from vyomo_gateway.edge.requests import AccountNumber, GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.services import Serving

DEACTIVATED: Final = "Account deactivated successfully"

router = APIRouter(prefix="/api/brokers/accounts", tags=["accounts"], route_class=GatewayRoute)


@router.post(
    "",
    summary="Add an account",
    status_code=201,
    response_model=None,
    responses=answers(
        AccountAnswer,
        examples.ACCOUNT_OPENED,
        ReasonCode.ACCOUNT_EXISTS,
        *BODY_ERRORS,
        *COMMAND_ERRORS,
        status=201,
    ),
)
async def create_account(
    body: Annotated[AccountBody, Body(openapi_examples=examples.ACCOUNT_REQUESTS)],
    caller: CurrentCaller,
    services: Serving,
) -> JsonResponse:
    account, warnings = await services.accounts.create(caller, body)
    answer = AccountAnswer(account=AccountView.of(account), warnings=warnings or UNSET)
    return JsonResponse(answer, 201)


@router.get(
    "",
    summary="Your accounts",
    response_model=None,
    responses=answers(AccountsAnswer, examples.ACCOUNTS, *PARAMETER_ERRORS),
)
async def list_accounts(
    page: Paged,
    caller: CurrentCaller,
    services: Serving,
    user_id: Annotated[  # checked by Guard for every path
        str | None,
        Query(alias="userId", description="Your own user id, or left out", examples=["default_user"]),
    ] = None,
) -> JsonResponse:
    del user_id
    return JsonResponse(await services.accounts.page(caller, page))


@router.get(
    "/{account_id:int}",
    summary="One account",
    response_model=None,
    responses=answers(AccountAnswer, examples.ACCOUNT, *ACCOUNT_ERRORS),
)
async def read_account(account_id: AccountNumber, caller: CurrentCaller, services: Serving) -> JsonResponse:
    account = await services.accounts.find(caller, account_id)
    return JsonResponse(AccountAnswer(account=AccountView.of(account)))


@router.patch(
    "/{account_id:int}",
    summary="Switch an account on or off",
    response_model=None,
    responses=answers(
        AccountAnswer,
        examples.ACCOUNT_SWITCHED,
        *ACCOUNT_ERRORS,
        ReasonCode.ACCOUNT_HAS_OPEN_ORDERS,
        *BODY_ERRORS,
        *COMMAND_ERRORS,
    ),
)
async def change_account(
    account_id: AccountNumber,
    body: Annotated[AccountChanges, Body(openapi_examples=SWITCHES)],
    caller: CurrentCaller,
    services: Serving,
) -> JsonResponse:
    account = await services.accounts.set_active(caller, account_id, active=body.is_active)
    return JsonResponse(AccountAnswer(account=AccountView.of(account)))


@router.delete(
    "/{account_id:int}",
    summary="Deactivate an account; its orders and trades stay readable",
    response_model=None,
    responses=answers(
        AccountAnswer,
        examples.ACCOUNT_SWITCHED | {"message": DEACTIVATED},
        *ACCOUNT_ERRORS,
        ReasonCode.ACCOUNT_HAS_OPEN_ORDERS,
        *COMMAND_ERRORS,
    ),
)
async def deactivate_account(
    account_id: AccountNumber, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    account = await services.accounts.set_active(caller, account_id, active=False)
    return JsonResponse(AccountAnswer(account=AccountView.of(account), message=DEACTIVATED))


@router.put(
    "/{account_id:int}/egress",
    summary="Set the way that an account's orders take to its broker",
    response_model=None,
    responses=answers(
        AccountAnswer, examples.ACCOUNT_SWITCHED, *ACCOUNT_ERRORS, *BODY_ERRORS, *COMMAND_ERRORS
    ),
)
async def set_egress(
    account_id: AccountNumber,
    body: Annotated[EgressBody, Body(openapi_examples=EGRESSES)],
    caller: CurrentCaller,
    services: Serving,
) -> JsonResponse:
    """Brokers take orders of programs from a registered address alone. Only order calls take this way; readings go straight."""
    account = await services.accounts.set_egress(caller, account_id, body)
    return JsonResponse(AccountAnswer(account=AccountView.of(account)))


@router.delete(
    "/{account_id:int}/egress",
    summary="Let an account's orders go straight again",
    response_model=None,
    responses=answers(AccountAnswer, examples.ACCOUNT_SWITCHED, *ACCOUNT_ERRORS, *COMMAND_ERRORS),
)
async def clear_egress(account_id: AccountNumber, caller: CurrentCaller, services: Serving) -> JsonResponse:
    account = await services.accounts.set_egress(caller, account_id, None)
    return JsonResponse(AccountAnswer(account=AccountView.of(account)))
