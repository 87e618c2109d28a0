from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from vyomo_paper_exchange.bootstrap import paper_exchange
from vyomo_paper_exchange.settings import PaperExchangeSettings
from vyomo_service_kit.runtime import run_service


@asynccontextmanager
async def service() -> AsyncGenerator[None]:
    settings = PaperExchangeSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    async with paper_exchange(settings):
        yield


if __name__ == "__main__":
    run_service(service)
