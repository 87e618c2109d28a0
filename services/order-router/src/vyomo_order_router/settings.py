from decimal import Decimal

from pydantic import Field

from vyomo_service_kit.settings import ServiceSettings


class OrderRouterSettings(ServiceSettings):
    max_order_value: Decimal = Field(default=Decimal(100_000_000), gt=0)
    """Rupees one order may be worth; ten crore."""
    paper_orders_per_second: int = Field(default=1000, ge=1)
    """Of a paper account whose owner set none; 10 makes it as slow as a real broker. Two are kept for cancellations."""
    broker_orders_per_second: int | None = Field(default=None, ge=1)
    """Instead of the brokers' own rates, where a scripted broker stands in for them. A real one refuses what is above its own."""
    market_order_seconds: float = Field(default=5.0, gt=0)
    """An unsent MARKET or SL-M order expires then: an outage must not release old market orders in a burst."""
    limit_order_seconds: float = Field(default=30.0, gt=0)
    """The same for orders with a price."""
