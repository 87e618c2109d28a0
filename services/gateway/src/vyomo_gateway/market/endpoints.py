from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime

from vyomo_contracts.queries import CANDLES_MAX, CANDLES_USUAL
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import CandleInterval, Exchange
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import COMMAND_ERRORS, PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.requests import GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.market.examples import MASTERS
from vyomo_gateway.market.schemas import CandlesAnswer, InstrumentsAnswer, MastersAnswer, QuotesAnswer
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api", tags=["market"], route_class=GatewayRoute)


@router.get(
    "/instruments",
    summary="Search instruments",
    description="The exact symbol first, then symbols that begin with the query, then symbols and names that contain its words.",
    response_model=None,
    responses=answers(
        InstrumentsAnswer, examples.INSTRUMENTS, ReasonCode.ACCOUNT_NOT_FOUND, *PARAMETER_ERRORS
    ),
)
async def search_instruments(  # noqa: PLR0917 - FastAPI fills them by name
    caller: CurrentCaller,
    services: Serving,
    query: Annotated[
        str,
        Query(alias="q", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["RELIANCE"]),
    ] = "",
    exchange: Exchange | None = None,
    account_id: Annotated[
        int | None,
        Query(
            alias="accountId",
            ge=1,
            description="What this account can trade: of a live one what its broker lists. Left out: the built-in market",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JsonResponse:
    found = await services.market.search(caller, query, exchange, account_id, limit)
    return JsonResponse(InstrumentsAnswer(instruments=found))


@router.get(
    "/instruments/masters",
    summary="When each broker's list of instruments was loaded",
    response_model=None,
    responses=answers(MastersAnswer, MASTERS, *PARAMETER_ERRORS),
)
async def read_masters(caller: CurrentCaller, services: Serving) -> JsonResponse:
    """Of brokers with live accounts, whose orders are checked against it. Renewed each morning at 08:30 IST."""
    return JsonResponse(await services.market.masters(caller))


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


@router.get(
    "/instruments/{exchange}/{symbol}/candles",
    summary="Candles of one instrument",
    description=f"Of trading sessions, oldest first: those that start from `from` to `to`, at most {CANDLES_MAX:,}. Without `from` "
    f"the last {CANDLES_USUAL} up to `to`, which is now when left out. The last candle grows while its interval lasts.",
    response_model=None,
    responses=answers(
        CandlesAnswer,
        examples.CANDLES,
        ReasonCode.MISSING_FIELD,
        ReasonCode.UNKNOWN_SYMBOL,
        *PARAMETER_ERRORS,
        *COMMAND_ERRORS,
    ),
)
async def read_candles(
    *,
    services: Serving,
    exchange: Exchange,
    symbol: Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")],
    interval: CandleInterval,
    begin: Annotated[
        AwareDatetime | None, Query(alias="from", description="With its offset: 2026-02-12T03:45:00Z")
    ] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="With its offset")] = None,
) -> JsonResponse:
    return JsonResponse(await services.market.candles(exchange, symbol, interval, begin, end))
