"""NATS and PostgreSQL as child processes: for `./vyomo up` and for tests, never for a cluster."""

from vyomo_service_kit.embedded.errors import (
    AlreadyRunningError,
    BinaryNotFoundError,
    EmbeddedServerError,
    InitialisationFailedError,
    StartFailedError,
    StartTimeoutError,
    UnsafeFolderError,
)
from vyomo_service_kit.embedded.nats import EmbeddedNats
from vyomo_service_kit.embedded.postgres import EmbeddedPostgres
from vyomo_service_kit.embedded.server import EmbeddedServer

__all__ = [
    "AlreadyRunningError",
    "BinaryNotFoundError",
    "EmbeddedNats",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "EmbeddedServerError",
    "InitialisationFailedError",
    "StartFailedError",
    "StartTimeoutError",
    "UnsafeFolderError",
]
