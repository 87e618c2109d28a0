"""The HTTP application: FastAPI for documentation and everything but the hot path, pure ASGI layers around it.

Shield   logs and answers what nobody else caught
Guard    admits callers
FastLane places orders
FastAPI  the rest
"""

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from vyomo_gateway.accounts.capabilities import router as capabilities
from vyomo_gateway.accounts.endpoints import router as accounts
from vyomo_gateway.audit.endpoints import router as audit
from vyomo_gateway.edge.docs_page import install_docs_page
from vyomo_gateway.edge.documentation import install_openapi
from vyomo_gateway.edge.errors import register_error_handlers
from vyomo_gateway.edge.shield import Shield
from vyomo_gateway.events.endpoints import router as events
from vyomo_gateway.identity.endpoints import router as sign_in
from vyomo_gateway.identity.guard import PUBLIC_PATHS, Guard
from vyomo_gateway.logins.endpoints import callbacks
from vyomo_gateway.logins.endpoints import router as logins
from vyomo_gateway.market.endpoints import router as market
from vyomo_gateway.orders.endpoints import router as orders
from vyomo_gateway.orders.fast_lane import FastLane
from vyomo_gateway.orders.schemas import OrderBody
from vyomo_gateway.portfolio.endpoints import router as portfolio
from vyomo_gateway.risk.endpoints import router as risk
from vyomo_gateway.sandbox.endpoints import router as sandbox
from vyomo_gateway.services import Services
from vyomo_gateway.system.endpoints import router as system

DESCRIPTION: Final = """\
One API for accounts at Zerodha, Angel One and the paper exchange.

Every call but `/api/health` needs `Authorization: Bearer <key>`. Answers carry `success`; failures carry
`error.code` (stable), `error.message` and, where a field is wrong, `error.field`. Prices are numbers with at most four
decimals, times are UTC. `503` means that nothing is known to have been done: repeat, orders with the same `Idempotency-Key`.

`/ws` is a WebSocket (same header) that pushes order, position, margin and price changes; `?since=<cursor>` resumes it.
"""


def create_app(services: Services) -> FastAPI:
    """The routes, without the layers in front of them."""
    app = FastAPI(
        title="Vyomo Broker Integration",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for router in (
        sign_in,
        accounts,
        capabilities,
        logins,
        callbacks,
        sandbox,
        orders,
        portfolio,
        market,
        risk,
        events,
        audit,
        system,
    ):
        app.include_router(router)
    register_error_handlers(app)
    install_docs_page(app)
    install_openapi(app, description=DESCRIPTION, bodies=(OrderBody,), public=tuple(PUBLIC_PATHS))
    return app


def create_asgi(services: Services) -> ASGIApp:
    """What the server runs."""
    app = create_app(services)
    return Shield(Guard(FastLane(app, services.place_order), services.authenticator, services.origins))
