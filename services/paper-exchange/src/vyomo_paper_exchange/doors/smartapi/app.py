"""The routes of SmartAPI."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from vyomo_paper_exchange.doors.faults import FaultLayer, Faults
from vyomo_paper_exchange.doors.limits import CallLimits
from vyomo_paper_exchange.doors.smartapi import calculators, login, market, orders, portfolio
from vyomo_paper_exchange.doors.smartapi.access import DOOR, Draw, SmartAccess, draw_signature
from vyomo_paper_exchange.doors.smartapi.calls import (
    LIMITS,
    Bucket,
    Call,
    Serve,
    SmartDoor,
    endpoint,
    guarded,
)
from vyomo_paper_exchange.doors.smartapi.envelope import (
    AppError,
    GatewayError,
    SmartError,
    TooManyError,
)
from vyomo_paper_exchange.doors.smartapi.stream import TickSockets
from vyomo_paper_exchange.doors.smartapi.updates import UpdateSockets
from vyomo_paper_exchange.doors.venue import DoorVenue

MASTER: Final = "/OpenAPI_File/files/OpenAPIScripMaster.json"
TICKS: Final = "/smart-stream"
ORDER_UPDATES: Final = "/smart-order-update"
_AUTH: Final = "/rest/auth/angelbroking"
_SECURE: Final = "/rest/secure/angelbroking"
_ROUTES: Final[tuple[tuple[str, str, Serve, Bucket], ...]] = (
    ("GET", "/user/v1/getProfile", portfolio.profile, "profile"),
    ("POST", "/user/v1/logout", login.leave, "logout"),
    ("GET", "/user/v1/getRMS", portfolio.funds, "funds"),
    ("POST", "/order/v1/placeOrder", orders.place, "orders"),
    ("POST", "/order/v1/modifyOrder", orders.modify, "orders"),
    ("POST", "/order/v1/cancelOrder", orders.cancel, "orders"),
    ("GET", "/order/v1/getOrderBook", orders.book, "order_book"),
    ("GET", "/order/v1/getTradeBook", orders.trades, "trade_book"),
    ("GET", "/order/v1/details/{uniqueorderid}", orders.details, "details"),
    ("GET", "/order/v1/getPosition", portfolio.positions, "positions"),
    ("POST", "/order/v1/convertPosition", portfolio.convert, "convert"),
    ("POST", "/order/v1/getLtpData", market.last_price, "ltp"),
    ("POST", "/order/v1/searchScrip", market.search, "search"),
    ("GET", "/portfolio/v1/getHolding", portfolio.holdings, "holdings"),
    ("GET", "/portfolio/v1/getAllHolding", portfolio.all_holdings, "all_holdings"),
    ("POST", "/market/v1/quote", market.quote, "quote"),
    ("POST", "/historical/v1/getCandleData", calculators.candles, "candles"),
    ("POST", "/margin/v1/batch", calculators.margins, "margin"),
    ("POST", "/brokerage/v1/estimateCharges", calculators.charges, "other"),
)
_ALL_METHODS: Final = ["GET", "POST", "PUT", "DELETE"]


def create_smartapi_app(
    venue: DoorVenue, *, admin_key: str | None, has_limits: bool = True, draw: Draw = draw_signature
) -> ASGIApp:
    """`admin_key` opens the fault injection; None shuts it."""
    access = SmartAccess(venue.logins, venue.sessions, venue.clock, draw)
    faults = Faults()
    door = SmartDoor(
        venue=venue,
        access=access,
        faults=faults,
        limits=CallLimits(venue.clock, LIMITS) if has_limits else None,
    )
    app = Starlette(
        routes=[
            *_paths(door),
            WebSocketRoute(TICKS, TickSockets(door).serve),
            WebSocketRoute(ORDER_UPDATES, UpdateSockets(door).serve),
        ],
        exception_handlers={HTTPException: _not_found},
    )
    app.router.redirect_slashes = False
    return FaultLayer(
        app,
        door=DOOR,
        faults=faults,
        key=admin_key,
        refuse=_refuse,
        sessions=venue.sessions,
        clock=venue.clock,
        forget_sessions=access.forget,
    )


def _paths(door: SmartDoor) -> list[BaseRoute]:
    def open_to_all(
        path: str, method: str, serve: Callable[[Request, SmartDoor], Awaitable[Response]]
    ) -> Route:
        async def answer(request: Request) -> Response:
            return await serve(request, door)

        return Route(path, guarded(answer), methods=[method])

    return [
        open_to_all(f"{_AUTH}/user/v1/loginByPassword", "POST", login.sign_in),
        open_to_all(f"{_AUTH}/jwt/v1/generateTokens", "POST", login.renew),
        open_to_all(MASTER, "GET", market.master),
        *(
            Route(f"{_SECURE}{path}", endpoint(door, serve, bucket), methods=[method])
            for method, path, serve, bucket in _ROUTES
        ),
        # GTT (Python's client puts a prefix before it), EDIS, greeks, gainers and losers.
        Route(f"{_SECURE}/{{rest:path}}", endpoint(door, _missing), methods=_ALL_METHODS),
        Route(f"/gtt-service{_SECURE}/{{rest:path}}", endpoint(door, _missing), methods=_ALL_METHODS),
    ]


async def _missing(call: Call) -> object:
    del call
    raise AppError("AB2000", "The sandbox does not offer this call")


async def _not_found(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 404
    return AppError("AB2000", "No such path" if status == 404 else "Method not allowed", status).response()


def _refuse(status: int) -> Response:
    """For fault injection: what SmartAPI says with this status."""
    errors: dict[int, SmartError] = {
        400: AppError("AB1007", "Invalid request", 400),
        401: GatewayError("AG8001", "Invalid Token", 401),
        403: GatewayError("AG8001", "Invalid Token"),
        429: TooManyError(),
    }
    return (
        errors.get(status) or AppError("AB1004", "Something Went Wrong, Please Try After Sometime", status)
    ).response()
