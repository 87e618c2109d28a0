from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from msgspec import UNSET, UnsetType
from pydantic import AwareDatetime
from starlette.responses import StreamingResponse

from vyomo_gateway.audit.entries import AuditEntryView
from vyomo_gateway.audit.examples import AUDIT
from vyomo_gateway.edge.documentation import PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse, View
from vyomo_gateway.edge.paging import Paged, cursor_at
from vyomo_gateway.edge.requests import LARGEST_ID, GatewayRoute
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.services import Serving

router = APIRouter(prefix="/api/audit", tags=["events"], route_class=GatewayRoute)

_Text = Annotated[str | None, Query(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


async def _asked(  # noqa: PLR0917 - FastAPI fills them by name
    account_id: Annotated[int | None, Query(alias="accountId", ge=1, le=LARGEST_ID)] = None,
    order_id: Annotated[_Text, Query(alias="orderId")] = None,
    symbol: Annotated[_Text, Query(examples=["RELIANCE"])] = None,
    type_: Annotated[
        _Text, Query(alias="type", description="How the type begins: order, order.filled, risk, account")
    ] = None,
    actor: Annotated[_Text, Query(description="A key's id, or a service")] = None,
    begin: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="Without this moment itself")] = None,
) -> dict[str, object]:
    return {
        "account_id": account_id,
        "order_id": order_id,
        "symbol": symbol,
        "type": type_,
        "actor": actor,
        "begin": begin,
        "end": end,
    }


Asked = Annotated[dict[str, Any], Depends(_asked)]


class CsvResponse(StreamingResponse):
    media_type = "text/csv"


class AuditAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    entries: list[AuditEntryView]
    next_cursor: str | UnsetType = UNSET


_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Their names, then a line an entry",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/events",
    summary="Everything that was recorded of your orders, limits and accounts, newest first",
    response_model=None,
    responses=answers(AuditAnswer, AUDIT, *PARAMETER_ERRORS),
)
async def list_entries(page: Paged, asked: Asked, caller: CurrentCaller, services: Serving) -> JsonResponse:
    """All events of an order with every detail: `GET /api/brokers/accounts/{accountId}/orders/{orderId}/events`."""
    entries, below = await services.audit.page(caller, asked, page)
    return JsonResponse(
        AuditAnswer(entries=entries, next_cursor=UNSET if below is None else cursor_at(below))
    )


@router.get(
    "/events.csv",
    summary="The same as CSV, without pages",
    response_model=None,
    response_class=CsvResponse,
    responses=answers(AuditAnswer, AUDIT, *PARAMETER_ERRORS) | _CSV,
)
async def export_entries(asked: Asked, caller: CurrentCaller, services: Serving) -> CsvResponse:
    """Prices as they are recorded. A text that a spreadsheet would run as a formula begins with an apostrophe."""
    lines = services.audit.csv(caller, asked)
    headers = {"Content-Disposition": 'attachment; filename="vyomo-audit.csv"'}
    return CsvResponse(lines, headers=headers)
