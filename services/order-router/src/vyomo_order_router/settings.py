from decimal import Decimal
from pathlib import Path

from pydantic import Field

from vyomo_contracts.vocabulary import OrderType
from vyomo_service_kit.settings import ServiceSettings


class OrderRouterSettings(ServiceSettings):
    max_order_value: Decimal = Field(default=Decimal(100_000_000), gt=0)
    """Rupees one order may be worth; ten crore."""
    paper_orders_per_second: int | None = Field(default=None, ge=1)
    """Of a paper account whose owner set none, instead of the ten a second of a real broker. Two are kept for cancellations."""
    broker_orders_per_second: int | None = Field(default=None, ge=1)
    """Instead of the brokers' own rates, where a scripted broker stands in for them. A real one refuses what is above its own."""
    max_waiting_orders: int = Field(default=50, ge=1)
    """Of an account that no worker has taken for a second: above it, new orders of the account are refused with 429."""
    market_order_seconds: float = Field(default=5.0, gt=0)
    """An unsent MARKET or SL-M order expires then: an outage must not release old market orders in a burst."""
    limit_order_seconds: float = Field(default=30.0, gt=0)
    """The same for orders with a price."""
    nats_monitor_url: str | None = None
    """Where the bus's monitoring page is (`http://host:8222`): without it nobody can tell that the bus is durable, and orders to real
    brokers are refused."""
    audit_anchors: Path | None = None
    """File outside the database that the audit chain's state is added to; without it the log alone tells of it."""
    audit_verify_seconds: float = Field(default=3600.0, gt=0)
    """How often the whole chain is recomputed."""

    def order_seconds(self, order_type: OrderType) -> float:
        """For how long an order of this type may be sent."""
        has_price = order_type in {OrderType.LIMIT, OrderType.SL}
        return self.limit_order_seconds if has_price else self.market_order_seconds
