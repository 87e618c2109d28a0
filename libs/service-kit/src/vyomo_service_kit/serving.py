"""The HTTP server inside our own process life: uvicorn without its signal handlers, its access log and its main."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

log = structlog.get_logger()

KEEP_ALIVE_SECONDS: Final = 75
DRAIN_SECONDS: Final = 8
WEBSOCKET_FRAME_LIMIT_BYTES: Final = 64 * 1024
UNREAD_SECONDS: Final = 5.0
"""How long a WebSocket client may take to read the last of a session that has ended."""
_BACKLOG: Final = 2048


class _HttpProtocol(HttpToolsProtocol):
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        # For whoever must end a connection without an answer; ASGI has no word for it.
        self.scope.setdefault("extensions", {})["vyomo.abort"] = {"abort": self.transport.abort}


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """`run_service` owns the signals."""
        yield


class _WebSocketProtocol(WebSocketsSansIOProtocol):
    async def run_asgi(self) -> None:
        await super().run_asgi()
        # `transport.close()` first sends what is buffered, so a client that reads no more would keep the connection for ever.
        self.loop.call_later(UNREAD_SECONDS, self.transport.abort)


@asynccontextmanager
async def serve_http(app: ASGIApp, *, host: str, port: int) -> AsyncGenerator[int]:
    """Listening inside; the port that was taken. On leaving, requests that were begun are finished."""
    with socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
    ) as listener:
        # Without uvloop nobody else sets it: an answer's body would wait 40 ms for the other side's acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken = int(listener.getsockname()[1])
        server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                http=_HttpProtocol,
                ws=_WebSocketProtocol,
                ws_max_size=WEBSOCKET_FRAME_LIMIT_BYTES,
                ws_per_message_deflate=False,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=DRAIN_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, no event
            await asyncio.sleep(0.002)
        log.info("http.listening", host=host, port=taken)
        try:
            yield taken
        finally:
            server.should_exit = True
            await serving
