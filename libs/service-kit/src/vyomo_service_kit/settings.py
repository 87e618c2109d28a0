"""Settings every service shares, read once from the environment in its `bootstrap`; a bad value fails the start with all problems listed."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="VYOMO_", frozen=True, extra="ignore")

    nats_url: SecretStr
    """`nats://user:password@host:port`."""
    postgres_url: SecretStr
    """`postgresql://user@/database?host=/socket/folder` or any libpq URL; each service then takes its own role."""
    keys_dir: Path | None = None
    """Folder (0700) with the API key pepper and the workers' key pair."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    partitions: int = Field(default=1, ge=1, le=64)
    """Groups of accounts that are served and published together; the same value in every process."""
    request_timeout_seconds: float = Field(default=2.5, gt=0, le=30)
    """How long a caller waits for an answer over the bus; 503 after it."""
