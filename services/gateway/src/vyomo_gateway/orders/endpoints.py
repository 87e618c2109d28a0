from typing import Annotated, Final

from fastapi import APIRouter, Body, Header, Request
from msgspec import UNSET

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.documentation import (
    ACCOUNT_ERRORS,
    BODY_ERRORS,
    COMMAND_ERRORS,
    ORDER_ERRORS,
    PARAMETER_ERRORS,
    answers,
)
from vyomo_gateway.edge.encoding import JsonResponse
from vyomo_gateway.edge.paging import Paged
from vyomo_gateway.edge.requests import AccountNumber, GatewayRoute, OrderNumber
from vyomo_gateway.identity.guard import CurrentCaller
from vyomo_gateway.orders.requests import ignored_prices, wait_seconds
from vyomo_gateway.orders.schemas import (
    CancelBody,
    CancelRequestedAnswer,
    MessageAnswer,
    ModifyBody,
    OrderAnswer,
    OrderHistoryAnswer,
    OrdersAnswer,
    OrderView,
    TradesAnswer,
)
from vyomo_gateway.services import Serving

CANCELLED: Final = "Order cancelled successfully"
CANCEL_REQUESTED: Final = (
    "Cancellation requested, NOT confirmed: the broker has not answered within 5 seconds and the order may still trade; "
    "read the order for its outcome"
)

RULES: Final = (
    ReasonCode.INSTRUMENT_NOT_ORDERABLE,
    ReasonCode.INSTRUMENT_EXPIRED,
    ReasonCode.QUANTITY_NOT_POSITIVE,
    ReasonCode.QUANTITY_NOT_LOT_MULTIPLE,
    ReasonCode.PRICE_REQUIRED,
    ReasonCode.PRICE_OFF_TICK,
    ReasonCode.PRICE_OUTSIDE_BAND,
    ReasonCode.TRIGGER_PRICE_REQUIRED,
    ReasonCode.TRIGGER_PRICE_OFF_TICK,
    ReasonCode.TRIGGER_PRICE_WRONG_SIDE,
    ReasonCode.EXCHANGE_NOT_ALLOWED,
    ReasonCode.ORDER_TYPE_NOT_ALLOWED,
    ReasonCode.PRODUCT_NOT_ALLOWED,
    ReasonCode.VALIDITY_NOT_ALLOWED,
    ReasonCode.RISK_QUANTITY_ABOVE_FREEZE,
    ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT,
    ReasonCode.RISK_ORDER_QUANTITY_ABOVE_LIMIT,
    ReasonCode.RISK_PRICE_FAR_FROM_LAST,
    ReasonCode.RISK_LAST_PRICE_UNKNOWN,
    ReasonCode.RISK_OPEN_ORDERS_ABOVE_LIMIT,
    ReasonCode.RISK_POSITION_ABOVE_LIMIT,
    ReasonCode.RISK_EXPOSURE_ABOVE_LIMIT,
    ReasonCode.RISK_DUPLICATE_ORDER,
    ReasonCode.RISK_REDUCE_ONLY,
    ReasonCode.TRADING_REDUCING,
    ReasonCode.TRADING_HALTED,
)
"""What a new order must satisfy, and a modified one again."""
MODIFY_REFUSALS: Final = (
    ReasonCode.NOTHING_TO_MODIFY,
    ReasonCode.QUANTITY_BELOW_FILLED,
    ReasonCode.MARGIN_INSUFFICIENT,
    ReasonCode.HOLDINGS_INSUFFICIENT,
    ReasonCode.TRIGGER_ALREADY_CROSSED,
    ReasonCode.MARKET_CLOSED,
    ReasonCode.NO_QUOTE,
    ReasonCode.BROKER_REFUSED,
    ReasonCode.BROKER_UNREACHABLE,
)

router = APIRouter(prefix="/api/brokers/accounts/{account_id:int}", tags=["orders"], route_class=GatewayRoute)

Prefer = Annotated[
    str | None,
    Header(
        description="`wait=N`: hold the answer up to N seconds (at most 10) until the broker has answered; anything else is ignored",
        examples=["wait=2"],
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="1 to 64 visible ASCII characters. The same key with the same body gives the same order, for ever; "
        "with another body 422. Without one a key is made, which does not protect against your own repeats.",
        examples=["signal-42-leg-1"],
    ),
]


@router.post(
    "/orders",
    summary="Place an order",
    description="Answers 202 once the order is durably recorded; it is carried out after that. With `Prefer: wait=N`, 200 "
    "once the broker has answered within that time.",
    status_code=202,
    response_model=None,
    responses=answers(
        OrderAnswer,
        examples.ORDER_ACCEPTED,
        *ACCOUNT_ERRORS,
        ReasonCode.ACCOUNT_INACTIVE,
        *BODY_ERRORS,
        ReasonCode.IDEMPOTENCY_KEY_INVALID,
        ReasonCode.IDEMPOTENCY_KEY_REUSED,
        ReasonCode.UNKNOWN_SYMBOL,
        ReasonCode.WRONG_EXCHANGE,
        *RULES,
        ReasonCode.RATE_LIMITED,
        ReasonCode.ORDERS_WAITING,
        ReasonCode.EVENTS_BEHIND,
        ReasonCode.NOT_DURABLE,
        *COMMAND_ERRORS,
        status=202,
        otherwise={200: (OrderAnswer, examples.ORDER, "The broker has answered within `Prefer: wait=N`")},
        headers={
            "Idempotency-Key": "The key that was used",
            "Idempotency-Replayed": "`true` when the key was used before: this is that order as it now is",
            "Preference-Applied": "The `wait` that was granted",
        },
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/OrderBody"},
                    "examples": examples.ORDER_REQUESTS,
                }
            },
        }
    },
)
async def place_order(
    account_id: AccountNumber,
    request: Request,
    services: Serving,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> JsonResponse:
    # Only documented here: FastLane takes these requests first, and serves them with the same function.
    del idempotency_key, prefer
    return await services.place_order(request.scope, request.receive, account_id)


@router.get(
    "/orders",
    summary="The order book, newest first",
    response_model=None,
    responses=answers(OrdersAnswer, examples.ORDERS, *ACCOUNT_ERRORS, *PARAMETER_ERRORS),
)
async def list_orders(
    account_id: AccountNumber, page: Paged, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    return JsonResponse(await services.orders.page(caller, account_id, page))


@router.get(
    "/orders/{order_id}",
    summary="One order",
    response_model=None,
    responses=answers(OrderAnswer, examples.ORDER, *ORDER_ERRORS),
)
async def read_order(
    account_id: AccountNumber, order_id: OrderNumber, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    order = await services.orders.find(caller, account_id, order_id)
    return JsonResponse(OrderAnswer(order=OrderView.of(order)))


@router.get(
    "/orders/{order_id}/events",
    summary="Everything that happened to an order",
    response_model=None,
    responses=answers(OrderHistoryAnswer, examples.ORDER_HISTORY, *ORDER_ERRORS),
)
async def read_order_history(
    account_id: AccountNumber, order_id: OrderNumber, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    return JsonResponse(
        OrderHistoryAnswer(events=await services.orders.history(caller, account_id, order_id))
    )


@router.patch(
    "/orders/{order_id}",
    summary="Modify a pending order",
    description="Answers 202 while the broker has not answered (`pendingAction` is MODIFY). With `Prefer: wait=N`, 200 once it has "
    "modified the order within that time, or what it said instead. What does not apply to the order's type is ignored and named in "
    "`warnings`.",
    response_model=None,
    responses=answers(
        OrderAnswer,
        examples.ORDER_MODIFIED,
        *ORDER_ERRORS,
        ReasonCode.ORDER_NOT_PENDING,
        ReasonCode.ACTION_PENDING,
        *BODY_ERRORS,
        *MODIFY_REFUSALS,
        *RULES,
        *COMMAND_ERRORS,
        otherwise={
            202: (OrderAnswer, examples.MODIFY_REQUESTED, "Passed on; the broker has not answered yet")
        },
        headers={"Preference-Applied": "The `wait` that was granted"},
    ),
)
async def modify_order(  # noqa: PLR0917 - FastAPI passes them by name
    account_id: AccountNumber,
    order_id: OrderNumber,
    body: Annotated[ModifyBody, Body(openapi_examples=examples.MODIFY_REQUESTS)],
    caller: CurrentCaller,
    services: Serving,
    prefer: Prefer = None,
) -> JsonResponse:
    seconds = wait_seconds(prefer)
    order = await services.orders.modify(caller, account_id, order_id, body, seconds=seconds or 0)
    headers = {} if seconds is None else {"Preference-Applied": f"wait={seconds}"}
    warnings = ignored_prices(body.order_type or order.order_type, body)
    answer = OrderAnswer(order=OrderView.of(order), warnings=warnings or UNSET)
    return JsonResponse(answer, 202 if order.pending_action is not None else 200, headers)


@router.delete(
    "/orders/{order_id}",
    summary="Cancel a pending order",
    description="Answers once the broker has really cancelled, waiting at most 5 seconds. A lost race answers 409 and says "
    "what happened instead. Without a verdict in time it answers 202 with `code` CANCEL_UNCONFIRMED: the request is recorded and "
    "goes on, but the order is not cancelled yet and may still trade; read it, or watch `/ws`, for its outcome.",
    response_model=None,
    responses=answers(
        MessageAnswer,
        examples.CANCELLED,
        *ORDER_ERRORS,
        ReasonCode.ORDER_NOT_PENDING,
        *BODY_ERRORS,
        ReasonCode.BROKER_REFUSED,
        ReasonCode.BROKER_UNREACHABLE,
        *COMMAND_ERRORS,
        otherwise={
            202: (
                CancelRequestedAnswer,
                examples.CANCEL_REQUESTED,
                "Requested; the broker has not confirmed it",
            )
        },
    ),
)
async def cancel_order(
    account_id: AccountNumber,
    order_id: OrderNumber,
    caller: CurrentCaller,
    services: Serving,
    body: Annotated[CancelBody | None, Body(openapi_examples=examples.CANCEL_REQUESTS)] = None,
) -> JsonResponse:
    order = await services.orders.cancel(caller, account_id, order_id, body.reason if body else None)
    if order.state is not OrderState.CANCELLED:
        return JsonResponse(CancelRequestedAnswer(message=CANCEL_REQUESTED, order=OrderView.of(order)), 202)
    return JsonResponse(MessageAnswer(message=CANCELLED))


@router.get(
    "/trades",
    summary="The trade book, newest first",
    response_model=None,
    responses=answers(TradesAnswer, examples.TRADES, *ACCOUNT_ERRORS, *PARAMETER_ERRORS),
)
async def list_trades(
    account_id: AccountNumber, page: Paged, caller: CurrentCaller, services: Serving
) -> JsonResponse:
    return JsonResponse(await services.orders.trades(caller, account_id, page))
