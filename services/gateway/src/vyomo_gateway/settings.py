"""What the gateway reads from the environment, once, at its start."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from vyomo_gateway.identity.addresses import networks_of
from vyomo_service_kit.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    keys_dir: Path  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - needed here
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3011, ge=0, le=65535)
    insecure: bool = False
    """Listen on a public address without TLS in front. Keys then cross the network in the clear."""

    sandbox_kite_url: str | None = None
    """Root of the paper exchange's Kite front door, as its clients reach it. None: there is none."""
    sandbox_smartapi_url: str | None = None

    trusted_proxies: str = ""
    """Addresses or networks, with commas between, whose `X-Forwarded-For` tells where a request came from: `10.0.0.0/8,192.0.2.7`."""

    @field_validator("trusted_proxies")
    @classmethod
    def _read_proxies(cls, text: str) -> str:
        networks_of(text)
        return text

    @model_validator(mode="after")
    def _refuse_public_address(self) -> Self:
        if not self.insecure and not _is_loopback(self.http_host):
            message = (
                f"VYOMO_HTTP_HOST={self.http_host} is reachable from other machines: put TLS in front and listen on "
                "127.0.0.1, or set VYOMO_INSECURE=true"
            )
            raise ValueError(message)
        return self


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
