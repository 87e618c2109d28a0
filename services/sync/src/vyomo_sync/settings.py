from pydantic import Field

from vyomo_service_kit.settings import ServiceSettings


class SyncSettings(ServiceSettings):
    topology_wait_seconds: float = Field(default=60, gt=0, le=600)
    """How long to wait at start for the order-router to declare the event stream."""

    reconcile_seconds: float = Field(default=5, gt=0, le=600)
    """How often the trades are compared with the record, for events that were lost."""
