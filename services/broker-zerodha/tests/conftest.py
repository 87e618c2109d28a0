from collections.abc import AsyncIterator

import pytest

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.routes import Routes
from vyomo_broker_kit.testing.parrot import serving
from vyomo_broker_zerodha.client import KitePort
from vyomo_broker_zerodha.testing import KiteServer, SignedIn
from vyomo_contracts.vocabulary import Environment


@pytest.fixture
async def kite() -> AsyncIterator[KiteServer]:
    async with serving(KiteServer()) as kite:
        yield kite


@pytest.fixture
def signed_in() -> SignedIn:
    return SignedIn()


@pytest.fixture
async def transport(kite: KiteServer) -> AsyncIterator[OrderTransport]:
    async with OrderTransport(kite.url, total_seconds=2) as transport:
        yield transport


@pytest.fixture
async def routes(kite: KiteServer) -> AsyncIterator[Routes]:
    async with Routes({Environment.LIVE: kite.url}, call_seconds=2) as routes:
        yield routes


@pytest.fixture
def port(routes: Routes, signed_in: SignedIn) -> KitePort:
    return KitePort(routes, signed_in)
