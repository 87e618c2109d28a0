"""The Zerodha worker's wiring, in one place."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from vyomo_broker_kit.http_worker import HttpBroker, http_worker
from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_zerodha import instruments
from vyomo_broker_zerodha.client import KitePort, headers_of
from vyomo_broker_zerodha.session import KiteSignIn
from vyomo_broker_zerodha.settings import ZerodhaSettings
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.logging import configure_logging

SOURCE: Final = "broker-zerodha"
_LOGIN_PATH: Final = "/connect/login"


@asynccontextmanager
async def broker_zerodha(
    settings: ZerodhaSettings, *, reconcile: ReconcileLimits | None = None
) -> AsyncGenerator[None]:
    configure_logging(SOURCE, log_format=settings.log_format, level=settings.log_level)
    roots = {Environment.LIVE: settings.kite_url}
    login_pages = {Environment.LIVE: settings.kite_login_url}
    if settings.sandbox_kite_url is not None:
        root = settings.sandbox_kite_url.rstrip("/")
        roots[Environment.SANDBOX] = root
        login_pages[Environment.SANDBOX] = f"{root}{_LOGIN_PATH}"
    adapter = HttpBroker(
        broker=Broker.ZERODHA,
        roots=roots,
        call_seconds=SendLimits().total_seconds,
        sign_in=lambda environment, transport, clock: KiteSignIn(
            transport, clock, login_page=login_pages[environment]
        ),
        port=lambda routes, vault, _: KitePort(routes, vault),
        master_url=settings.kite_url.rstrip("/") + instruments.PATH,
        master=instruments.listed,
        master_headers=headers_of,
    )
    async with http_worker(settings, adapter, keys_dir=settings.keys_dir, reconcile=reconcile):
        yield
