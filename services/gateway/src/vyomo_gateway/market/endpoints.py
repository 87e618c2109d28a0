from typing import Annotated

from fastapi import APIRouter, Query

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import COMMAND_ERRORS, PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.requests import GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.market.schemas import InstrumentsAnswer, QuotesAnswer
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api", tags=["market"], route_class=GatewayRoute)


@router.get(
    "/instruments",
    summary="Search instruments",
    description="The exact symbol first, then symbols that begin with the query, then symbols and names that contain its words.",
    response_model=None,
    responses=answers(InstrumentsAnswer, examples.INSTRUMENTS, *PARAMETER_ERRORS),
)
async def search_instruments(
    caller: CurrentCaller,
    services: Serving,
    query: Annotated[
        str,
        Query(alias="q", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["RELIANCE"]),
    ] = "",
    exchange: Exchange | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JsonResponse:
    found = await services.market.search(caller, query, exchange, limit)
    return JsonResponse(InstrumentsAnswer(instruments=found))


@router.get(
    "/quotes",
    summary="Current prices with five levels of depth",
    response_model=None,
    responses=answers(
        QuotesAnswer, examples.QUOTES, ReasonCode.MISSING_FIELD, *PARAMETER_ERRORS, *COMMAND_ERRORS
    ),
)
async def read_quotes(
    services: Serving,
    instruments: Annotated[
        list[str],
        Query(
            alias="i",
            min_length=1,
            max_length=100,
            description="EXCHANGE:SYMBOL, repeated",
            examples=["NSE:RELIANCE"],
        ),
    ],
) -> JsonResponse:
    return JsonResponse(await services.market.quotes(instruments))
