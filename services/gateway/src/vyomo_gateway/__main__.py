from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vyomo_dashboard.serve import Builder, Pages
from vyomo_gateway.bootstrap import open_gateway
from vyomo_gateway.settings import GatewaySettings
from vyomo_service_kit.logging import configure_logging
from vyomo_service_kit.runtime import run_service
from vyomo_service_kit.serving import serve_http


@asynccontextmanager
async def _gateway() -> AsyncGenerator[None]:
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] - read from the environment
    configure_logging("gateway", log_format=settings.log_format, level=settings.log_level)
    builder = Builder()
    async with (
        open_gateway(settings) as app,
        builder.running(),
        serve_http(Pages(app, builder), host=settings.http_host, port=settings.http_port),
    ):
        yield


if __name__ == "__main__":
    run_service(_gateway)
