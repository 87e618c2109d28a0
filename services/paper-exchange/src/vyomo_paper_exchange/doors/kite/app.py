"""The routes of Kite Connect v3, also under `/oms` as the broker's own sandbox has them."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from vyomo_paper_exchange.doors.faults import FaultLayer, Faults
from vyomo_paper_exchange.doors.kite import calculators, login, market, orders, portfolio
from vyomo_paper_exchange.doors.kite.access import DOOR, Draw, KiteAccess, draw_token
from vyomo_paper_exchange.doors.kite.calls import LIMITS, Bucket, Call, KiteDoor, Serve, endpoint, guarded
from vyomo_paper_exchange.doors.kite.envelope import (
    GeneralError,
    InputError,
    KiteError,
    NetworkError,
    PermissionsError,
    TooManyError,
    failure,
)
from vyomo_paper_exchange.doors.kite.stream import Streams
from vyomo_paper_exchange.doors.limits import CallLimits
from vyomo_paper_exchange.doors.venue import DoorVenue

_ORDERS: Final = "/orders/{variety}"
_ORDER: Final = "/orders/{variety}/{order_id}"
_ROUTES: Final[tuple[tuple[str, str, Serve, Bucket], ...]] = (
    ("GET", "/user/profile", portfolio.profile, "other"),
    ("GET", "/user/profile/full", portfolio.full_profile, "other"),
    ("GET", "/user/margins", portfolio.margins, "other"),
    ("GET", "/user/margins/{segment}", portfolio.margins, "other"),
    ("GET", "/orders", orders.book, "other"),
    ("GET", "/orders/{order_id}", orders.history, "other"),
    ("GET", "/orders/{order_id}/trades", orders.order_trades, "other"),
    ("GET", "/trades", orders.trades, "other"),
    ("POST", _ORDERS, orders.place, "orders"),
    ("PUT", _ORDER, orders.modify, "orders"),
    ("DELETE", _ORDER, orders.cancel, "orders"),
    ("GET", "/portfolio/positions", portfolio.positions, "other"),
    ("PUT", "/portfolio/positions", portfolio.convert, "orders"),
    ("GET", "/portfolio/holdings", portfolio.holdings, "other"),
    ("GET", "/portfolio/holdings/summary", portfolio.holdings_summary, "other"),
    ("GET", "/portfolio/holdings/compact", portfolio.compact_holdings, "other"),
    ("GET", "/portfolio/holdings/auctions", portfolio.nothing, "other"),
    ("GET", "/instruments", market.instruments, "other"),
    ("GET", "/instruments/historical/{token:int}/{interval}", market.candles, "historical"),
    ("GET", "/instruments/{exchange}", market.instruments, "other"),
    ("GET", "/quote", market.quote, "quote"),
    ("GET", "/quote/ohlc", market.ohlc, "quote"),
    ("GET", "/quote/ltp", market.last_prices, "quote"),
    ("POST", "/margins/orders", calculators.order_margins, "other"),
    ("POST", "/margins/basket", calculators.basket_margins, "other"),
    ("POST", "/charges/orders", calculators.charges, "other"),
)
_MISSING: Final = (
    "/gtt/{rest:path}",
    "/alerts{rest:path}",
    "/mf/{rest:path}",
    "/portfolio/holdings/authorise",
    "/instruments/trigger_range/{rest:path}",
)
_ALL_METHODS: Final = ["GET", "POST", "PUT", "DELETE"]


def create_kite_app(
    venue: DoorVenue,
    *,
    admin_key: str | None,
    redirect_url: str | None,
    has_limits: bool = True,
    draw: Draw = draw_token,
) -> ASGIApp:
    """`admin_key` opens the fault injection; None shuts it. `redirect_url` is where sandbox accounts sign in to."""
    access = KiteAccess(venue.logins, venue.sessions, venue.clock, draw)
    faults = Faults()
    door = KiteDoor(
        venue=venue,
        access=access,
        faults=faults,
        limits=CallLimits(venue.clock, LIMITS) if has_limits else None,
        redirect_url=redirect_url,
    )
    paths = _paths(door)
    app = Starlette(
        routes=[
            *paths,
            Mount("/oms", routes=_paths(door)),
            WebSocketRoute("/", Streams(door).serve),
            WebSocketRoute("/oms", Streams(door).serve),
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


def _paths(door: KiteDoor) -> list[BaseRoute]:
    def open_to_all(
        path: str, method: str, serve: Callable[[Request, KiteDoor], Awaitable[Response]]
    ) -> Route:
        async def answer(request: Request) -> Response:
            return await serve(request, door)

        return Route(path, guarded(answer), methods=[method])

    return [
        open_to_all("/connect/login", "GET", login.show),
        open_to_all("/connect/login", "POST", login.sign_in),
        open_to_all("/session/token", "POST", login.create_session),
        open_to_all("/session/token", "DELETE", login.end_session),
        open_to_all("/session/refresh_token", "POST", login.refresh),
        open_to_all("/session/refresh_token", "DELETE", login.refresh),
        *(Route(path, endpoint(door, _missing), methods=_ALL_METHODS) for path in _MISSING),
        *(
            Route(path, endpoint(door, serve, bucket), methods=[method])
            for method, path, serve, bucket in _ROUTES
        ),
    ]


async def _missing(call: Call) -> object:
    del call
    raise PermissionsError("Insufficient permission for that call: the sandbox does not offer it.")


async def _not_found(request: Request, error: Exception) -> Response:
    del request
    return failure(login.not_found(error.status_code if isinstance(error, HTTPException) else 404))


def _refuse(status: int) -> Response:
    """For fault injection: what Kite says with this status."""
    words = "Request failed (kitetrade-oms)"
    errors: dict[int, KiteError] = {
        400: InputError(
            "Order request timed out. Please check the order book and confirm before placing again."
        ),
        403: PermissionsError("Insufficient permission for that call."),
        429: TooManyError(),
        503: NetworkError(words),
    }
    return failure(errors.get(status) or GeneralError("Something unexpected went wrong.", status))
