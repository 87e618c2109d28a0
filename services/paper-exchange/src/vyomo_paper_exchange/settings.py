from typing import Literal

from pydantic import Field

from vyomo_service_kit.settings import ServiceSettings


class PaperExchangeSettings(ServiceSettings):
    market_seed: int = Field(default=1, ge=0)
    """The same seed shows the same prices at the same time on every machine."""
    market_hours: bool = False
    """Trade only in the exchanges' sessions; otherwise the built-in market never closes."""
    owned_partitions: tuple[int, ...] | Literal["all"] = "all"
    """The partitions of accounts this process serves."""
    kite_door_port: int | None = Field(default=None, ge=1, le=65535)
    """Where the exchange speaks Kite Connect v3, on loopback. None: it does not."""
    smartapi_door_port: int | None = Field(default=None, ge=1, le=65535)
    """Where it speaks Angel One's SmartAPI, on loopback. None: it does not."""
    door_host: str = "127.0.0.1"
    """The doors speak plain HTTP: whoever lets others reach them puts TLS in front."""
    door_limits: bool = True
    """Whether the doors turn away who comes more often than the broker allows."""
    kite_redirect_url: str | None = None
    """Where the Kite login page sends the browser of a sandbox account: the gateway's callback."""
    topology_wait_seconds: float = Field(default=60, gt=0, le=600)
    """How long to wait at start for the order-router to declare the doorbell's stream."""

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(range(self.partitions) if self.owned_partitions == "all" else self.owned_partitions)
