"""Every failure becomes one shape: `{"success": false, "error": {"code", "message", "field"?, "detail"?}}`."""

from decimal import Decimal
from typing import Any, Final, Literal

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, UnsetType
from nats.errors import NoRespondersError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.codes import SHOWN
from vyomo_gateway.edge.encoding import JsonResponse, View, number
from vyomo_gateway.edge.problems import (
    AccountNotFoundError,
    ApiError,
    InvalidRequestError,
    OrderNotFoundError,
    UnavailableError,
)
from vyomo_gateway.edge.validation import problems_of
from vyomo_gateway.orders.schemas import OrderView
from vyomo_service_kit.bus import BusUnavailableError, RequestRefusedError
from vyomo_service_kit.database import RecordUnavailableError

log = structlog.get_logger()

_AMOUNTS: Final = frozenset({"averagePrice", "limit", "lower", "tickSize", "upper", "value"})
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST")


class ErrorView(View, frozen=True, kw_only=True):
    code: ReasonCode
    message: str
    field: str | UnsetType = UNSET
    """The request's field that is wrong, by its public name."""
    detail: dict[str, Any] | UnsetType = UNSET


class ErrorAnswer(View, frozen=True, kw_only=True):
    success: Literal[False] = False
    error: ErrorView
    order: OrderView | UnsetType = UNSET
    """The order this is about as it is now: recorded all the same (DENIED), or not changed."""


def error_view(error: ApiError) -> ErrorView:
    return ErrorView(
        code=error.code,
        message=error.message,
        field=error.field or UNSET,
        detail={name: _shown(name, value) for name, value in error.detail.items()} if error.detail else UNSET,
    )


def _shown(name: str, value: object) -> object:
    """Services send amounts as text, which keeps them exact; here they are numbers as everywhere."""
    return number(Decimal(value)) if name in _AMOUNTS and isinstance(value, str) else value


def error_response(error: ApiError, *, status: int | None = None) -> JsonResponse:
    answer = ErrorAnswer(
        error=error_view(error), order=OrderView.of(error.order) if error.order is not None else UNSET
    )
    return JsonResponse(answer, status or error.code.http_status, error.headers)


def as_api_error(error: Exception) -> ApiError | None:
    """The API's word for an expected failure, None for a bug."""
    match error:
        case ApiError():
            return error
        case RecordUnavailableError():
            return UnavailableError(ReasonCode.RECORD_UNAVAILABLE)
        case BusUnavailableError():
            nobody = isinstance(error.__cause__, NoRespondersError)
            return UnavailableError(ReasonCode.SERVICE_UNAVAILABLE if nobody else ReasonCode.BUS_UNAVAILABLE)
        case RequestRefusedError():
            log.error("request.refused", error=str(error))
            return UnavailableError(ReasonCode.SERVICE_UNAVAILABLE)
        case _:
            return None


def internal_error() -> ApiError:
    return ApiError(ReasonCode.INTERNAL_ERROR, SHOWN[ReasonCode.INTERNAL_ERROR].message)


def register_error_handlers(app: FastAPI) -> None:
    for kind in (ApiError, RecordUnavailableError, BusUnavailableError, RequestRefusedError):
        app.add_exception_handler(kind, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(_request: Request, error: Exception) -> JsonResponse:
    return error_response(as_api_error(error) or internal_error())


async def _invalid(_request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, RequestValidationError)
    findings = error.errors()
    for finding in findings:
        if finding["loc"][:2] == ("path", "account_id"):
            return error_response(AccountNotFoundError("with this id"))
        if finding["loc"][:2] == ("path", "order_id"):
            return error_response(OrderNotFoundError("with this id"))
    return error_response(InvalidRequestError(problems_of(findings)))


async def _no_route(request: Request, error: Exception) -> JsonResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == ReasonCode.METHOD_NOT_ALLOWED.http_status:
        allowed = ", ".join(_methods_at(request))
        refusal = ApiError(
            ReasonCode.METHOD_NOT_ALLOWED, f"{request.method} is not possible here; allowed: {allowed}"
        )
        refusal.headers["Allow"] = allowed
    else:
        refusal = ApiError(ReasonCode.NOT_FOUND, f"there is nothing at {request.url.path}")
    return error_response(refusal)


def _methods_at(request: Request) -> list[str]:
    """Those of every route of this path; the framework names the first route's only."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _unexpected(_request: Request, _error: Exception) -> JsonResponse:
    # Shield, the outermost layer, logs it.
    return error_response(internal_error())
