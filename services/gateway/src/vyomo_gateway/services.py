"""What endpoints work with. `bootstrap` makes one, the app hands it out."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from vyomo_gateway.accounts.service import AccountService
from vyomo_gateway.audit.service import AuditTrail
from vyomo_gateway.events.reads import EventRecord
from vyomo_gateway.events.service import LiveService
from vyomo_gateway.identity.addresses import Origins
from vyomo_gateway.identity.authentication import Authenticator
from vyomo_gateway.identity.browsers import Browsers
from vyomo_gateway.logins.service import LoginService
from vyomo_gateway.market.service import MarketService
from vyomo_gateway.orders.placing import OrderPlacer
from vyomo_gateway.orders.service import OrderService
from vyomo_gateway.portfolio.service import PortfolioService
from vyomo_gateway.risk.service import RiskService
from vyomo_gateway.sandbox.service import SandboxService
from vyomo_gateway.system.service import HealthService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    authenticator: Authenticator
    browsers: Browsers
    origins: Origins
    accounts: AccountService
    logins: LoginService
    sandbox: SandboxService
    orders: OrderService
    place_order: OrderPlacer
    portfolio: PortfolioService
    market: MarketService
    risk: RiskService
    events: EventRecord
    audit: AuditTrail
    live: LiveService
    health: HealthService


async def _services(connection: HTTPConnection) -> Services:
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services


Serving = Annotated[Services, Depends(_services)]
