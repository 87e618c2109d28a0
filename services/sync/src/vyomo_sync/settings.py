from pydantic import Field

from vyomo_service_kit.settings import ServiceSettings


class SyncSettings(ServiceSettings):
    topology_wait_seconds: float = Field(default=60, gt=0, le=600)
    """How long to wait at start for the order-router to declare the event stream."""
