from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import PARAMETER_ERRORS, answers
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.paging import DEFAULT_LIMIT, Limit
from vyomo_gateway.edge.parameters import refuse_unknown_parameters
from vyomo_gateway.edge.problems import InvalidRequestError
from vyomo_gateway.edge.requests import LARGEST_ID, GatewayRoute
from vyomo_gateway.edge.shield import deny
from vyomo_gateway.events.messages import EventsAnswer
from vyomo_gateway.identity.guard import CurrentCaller, credential_of
from vyomo_gateway.services import Serving

router = APIRouter(tags=["events"], route_class=GatewayRoute)


@router.get(
    "/api/events",
    summary="Your events, of orders and of limits and states, in the order they were recorded",
    description="Nothing is skipped: ask again with `since` = `nextCursor`. The same cursors resume the WebSocket `/ws?since=`.",
    response_model=None,
    responses=answers(EventsAnswer, examples.EVENTS, *PARAMETER_ERRORS),
)
async def list_events(
    caller: CurrentCaller,
    services: Serving,
    since: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    limit: Limit = DEFAULT_LIMIT,
) -> JsonResponse:
    events, cursor = await services.events.page(caller, since, limit)
    return JsonResponse(EventsAnswer(events=list(events), next_cursor=cursor))


@router.websocket("/ws")
async def live(socket: WebSocket, caller: CurrentCaller, services: Serving) -> None:
    """Pushes order, position, holding and margin changes of the caller's accounts, and prices."""
    try:
        refuse_unknown_parameters(socket.query_params.keys(), ("since",))
    except InvalidRequestError as unknown:
        await deny(socket.scope, socket.receive, socket.send, unknown)
        return
    since = socket.query_params.get("since")
    if since is not None and not (since.isascii() and since.isdigit() and len(since) <= 18):
        error = InvalidRequestError.one(
            ReasonCode.INVALID_FIELD, "since", "since must be a cursor that was received before"
        )
        await deny(socket.scope, socket.receive, socket.send, error)
        return
    await services.live.serve(
        socket, caller, credential_of(socket.scope) or "", None if since is None else int(since)
    )
