from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import SecretStr

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker
from vyomo_contracts.vocabulary import Scope as KeyScope
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import ACCOUNT_ERRORS, BODY_ERRORS, COMMAND_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.problems import ApiError
from vyomo_gateway.edge.requests import AccountNumber, GatewayRoute, TolerantRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.logins.schemas import LoginAnswer, LoginBody, LoginPageAnswer, SessionView
from vyomo_gateway.services import Serving

DASHBOARD: Final = "/broker-management"
ZERODHA_CALLBACK: Final = "/api/brokers/zerodha/callback"
_REFUSALS: Final = (
    ReasonCode.SIGN_IN_NOT_NEEDED,
    ReasonCode.SIGN_IN_REFUSED,
    ReasonCode.CREDENTIALS_UNREADABLE,
    ReasonCode.SANDBOX_NOT_RUNNING,
    ReasonCode.BROKER_UNREACHABLE,
)

router = APIRouter(prefix="/api/brokers/accounts", tags=["logins"], route_class=GatewayRoute)
callbacks = APIRouter(tags=["logins"], route_class=TolerantRoute)


@router.get(
    "/{account_id:int}/login",
    summary="Where to sign in at the broker with a browser",
    response_model=None,
    responses=answers(
        LoginPageAnswer,
        examples.LOGIN_PAGE,
        *ACCOUNT_ERRORS,
        *COMMAND_ERRORS,
        ReasonCode.LOGIN_NOT_BY_BROWSER,
        *_REFUSALS,
    ),
)
async def login_page(account_id: AccountNumber, caller: CurrentCaller, services: Serving) -> JsonResponse:
    caller.require(KeyScope.TRADE)
    return JsonResponse(await services.logins.page(caller, account_id))


@router.post(
    "/{account_id:int}/login",
    summary="Sign in at the broker without a browser",
    response_model=None,
    responses=answers(
        LoginAnswer, examples.LOGGED_IN, *ACCOUNT_ERRORS, *BODY_ERRORS, *COMMAND_ERRORS, *_REFUSALS
    ),
)
async def sign_in(
    account_id: AccountNumber,
    caller: CurrentCaller,
    services: Serving,
    body: Annotated[LoginBody | None, Body(openapi_examples=examples.LOGIN_REQUESTS)] = None,
) -> JsonResponse:
    session = await services.logins.sign_in(caller, account_id, body or LoginBody())
    return JsonResponse(LoginAnswer(account_id=account_id, session=SessionView.of(session)))


@callbacks.get(
    ZERODHA_CALLBACK,
    summary="Where a browser comes back to from Zerodha's login",
    response_model=None,
    responses=answers(
        LoginAnswer,
        examples.LOGGED_IN,
        ReasonCode.LOGIN_STATE_INVALID,
        ReasonCode.MISSING_FIELD,
        *COMMAND_ERRORS,
        *_REFUSALS,
        common=(ReasonCode.RECORD_UNAVAILABLE, ReasonCode.INTERNAL_ERROR),
    ),
)
async def zerodha_callback(
    request: Request,
    services: Serving,
    state: Annotated[str, Query(max_length=128)] = "",
    request_token: Annotated[str, Query(max_length=256)] = "",
    status: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Programs are answered with JSON, browsers go on to the dashboard, which says the same."""
    wants_page = "text/html" in request.headers.get("accept", "")
    try:
        if not request_token or status not in {"", "success"}:
            raise ApiError(
                ReasonCode.SIGN_IN_REFUSED, "Zerodha's login was not finished: it sent no request token"
            )
        account_id, session = await services.logins.come_back(
            Broker.ZERODHA, state=state, request_token=SecretStr(request_token)
        )
    except ApiError as error:
        if not wants_page:
            raise
        return _back_to_page({"error": str(error.code), "message": error.message})
    if wants_page:
        return _back_to_page({"connected": str(account_id)})
    return JsonResponse(LoginAnswer(account_id=account_id, session=SessionView.of(session)))


def _back_to_page(said: Mapping[str, str]) -> RedirectResponse:
    """The request token is in this address: it goes no further, and nothing keeps it."""
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(f"{DASHBOARD}?{urlencode(said)}", 303, headers)
