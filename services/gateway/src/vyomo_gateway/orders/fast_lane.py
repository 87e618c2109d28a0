"""Orders overtake the framework: its dispatch would cost more than everything else that happens to an order here.

The same `OrderPlacer` serves the FastAPI route of the same path, which is what the documentation shows.
"""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from vyomo_gateway.orders.placing import OrderPlacer

_PATH: Final = re.compile(r"/api/brokers/accounts/([0-9]{1,20})/orders")


class FastLane:
    def __init__(self, app: ASGIApp, place: OrderPlacer) -> None:
        self._app = app
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            match = _PATH.fullmatch(scope["path"])
            if match is not None:
                response = await self._place(scope, receive, int(match[1]))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
