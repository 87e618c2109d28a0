"""Whether database and bus keep what they acknowledged through a power cut: asked of the running servers, not of their configuration."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any, Final, cast

from vyomo_service_kit.database import Connection

TIMEOUT_SECONDS: Final = 5.0
_SETTINGS: Final[dict[str, tuple[str, ...]]] = {
    "fsync": ("on",),
    # The others acknowledge before this server's disk has the commit.
    "synchronous_commit": ("on", "remote_apply"),
    "full_page_writes": ("on",),
}


async def database_weaknesses(connection: Connection) -> list[str]:
    """What of PostgreSQL would lose a commit in a power cut, in words; empty when nothing would.

    Asked as whoever is connected: a role or a database may have a `synchronous_commit` of its own.
    """
    values = {name: str(await connection.fetchval(f"SHOW {name}")) for name in _SETTINGS}
    return [
        f"PostgreSQL runs with {name} = {value} (should be {_SETTINGS[name][0]})"
        for name, value in values.items()
        if value not in _SETTINGS[name]
    ]


@dataclass(frozen=True, slots=True)
class BusServer:
    """A nats-server, by its monitoring page."""

    version: str
    syncs_always: bool
    """Acknowledges a message when it is on disk."""

    @property
    def weaknesses(self) -> list[str]:
        return [] if self.syncs_always else [f"nats-server {self.version} runs without sync_interval: always"]


def read_bus_server(monitor_url: str) -> BusServer:
    """Blocks for up to five seconds.

    Raises:
        OSError: the page cannot be reached or is not a nats-server's with JetStream.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is within, no proxy knows it
    try:
        with direct.open(f"{monitor_url.rstrip('/')}/varz", timeout=TIMEOUT_SECONDS) as response:
            page = cast("dict[str, Any]", json.load(response))
        # The field exists only when it is on.
        return BusServer(str(page["version"]), page["jetstream"]["config"].get("sync_always") is True)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OSError(f"{monitor_url} is not the monitoring page of a nats-server with JetStream") from error
