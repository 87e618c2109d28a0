from typing import Annotated, Final

from fastapi import APIRouter, Path

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import ACCOUNT_ERRORS, COMMAND_ERRORS, PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.paging import PagedByInstrument
from vyomo_gateway.edge.requests import AccountNumber, GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.orders.schemas import MessageAnswer
from vyomo_gateway.portfolio.schemas import HoldingsAnswer, MarginsAnswer, MarginsView, PositionsAnswer
from vyomo_gateway.services import Serving

SYNCED: Final = "Positions synced successfully"

router = APIRouter(
    prefix="/api/brokers/accounts/{account_id:int}", tags=["portfolio"], route_class=GatewayRoute
)


@router.get(
    "/positions",
    summary="The day's positions, valued at current prices",
    description="What is open and what was traded today, in the order of exchange, symbol and product.",
    response_model=None,
    responses=answers(PositionsAnswer, examples.POSITIONS, *ACCOUNT_ERRORS, *PARAMETER_ERRORS),
)
async def list_positions(
    account_id: AccountNumber, page: PagedByInstrument, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    return JsonResponse(await services.portfolio.positions(caller, account_id, page))


@router.get(
    "/holdings",
    summary="Delivered shares, valued at current prices",
    response_model=None,
    responses=answers(HoldingsAnswer, examples.HOLDINGS, *ACCOUNT_ERRORS, *PARAMETER_ERRORS),
)
async def list_holdings(
    account_id: AccountNumber, page: PagedByInstrument, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    return JsonResponse(await services.portfolio.holdings(caller, account_id, page))


@router.get(
    "/margins",
    summary="Money available and used",
    response_model=None,
    responses=answers(MarginsAnswer, examples.MARGINS, *ACCOUNT_ERRORS),
)
async def read_margins(account_id: AccountNumber, caller: CurrentCaller, services: Serving) -> JsonResponse:
    account = await services.portfolio.margins(caller, account_id)
    return JsonResponse(MarginsAnswer(margins=MarginsView.of(account.funds, unlimited=account.unlimited)))


@router.post(
    "/sync/{session_id:int}",
    summary="Mirror positions into an auto-trader session",
    description="A session id that is not in use becomes your own session; from then on its trades follow the account.",
    response_model=None,
    responses=answers(
        MessageAnswer,
        examples.SYNCED,
        *ACCOUNT_ERRORS,
        ReasonCode.SESSION_NOT_FOUND,
        *PARAMETER_ERRORS,
        *COMMAND_ERRORS,
    ),
)
async def sync_positions(
    account_id: AccountNumber,
    session_id: Annotated[int, Path(ge=1, le=2_147_483_647, examples=[7])],
    caller: CurrentCaller,
    services: Serving,
) -> JsonResponse:
    await services.portfolio.sync(caller, account_id, session_id)
    return JsonResponse(MessageAnswer(message=SYNCED))
