"""The outermost layer: whatever escapes the ones below is logged, without body or headers, and answered as 500."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vyomo_gateway.edge.errors import as_api_error, error_response, internal_error

log = structlog.get_logger()


class Shield:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        if scope.get("method") == "HEAD":
            # Answered like GET; the server, which knows the original, leaves the body out.
            scope = {**scope, "method": "GET"}

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            expected = as_api_error(error)
            if expected is None:
                log.exception("http.failed", method=scope.get("method"), path=scope.get("path"))
            if not started and scope["type"] in {"http", "websocket"}:
                await deny(scope, receive, send, expected)


async def deny(scope: Scope, receive: Receive, send: Send, error: Exception | None) -> None:
    """Answer a request, or a WebSocket handshake, with `error` as the API words it."""
    expected = as_api_error(error) if error is not None else None
    response = error_response(expected or internal_error())
    # Starlette's Response speaks both protocols: on a handshake it becomes the denial response.
    await response(scope, receive, send)
