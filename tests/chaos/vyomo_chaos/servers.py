"""PostgreSQL and NATS of a run: embedded as everywhere, but kept alive here, so that links can stand between them and everybody."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg

from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres, EmbeddedServer
from vyomo_service_kit.embedded.errors import EmbeddedServerError
from vyomo_service_kit.embedded.postgres import DATABASE, SUPERUSER

from .links import Place

_LOOK_SECONDS: Final = 0.02
_RESTART_SECONDS: Final = 0.2
"""As long as the supervisor waits."""


class KeptServer:
    """Started again when it ends, as the supervisor does."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.held = False
        """While it is, a server that has ended stays down."""
        self._stopping = False

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def pid(self) -> int | None:
        return self.server.process.pid if self.server.process is not None and self.server.is_running else None

    @property
    def is_up(self) -> bool:
        """Whether it was started and has not ended since."""
        return self.server.is_running

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["KeptServer"]:
        self.server.start()
        keeping = asyncio.create_task(self._keep())
        try:
            yield self
        finally:
            self._stopping = True
            await keeping
            self.server.stop()

    async def _keep(self) -> None:
        while not self._stopping:
            await asyncio.sleep(_LOOK_SECONDS)
            if self.server.is_running:
                continue
            await asyncio.sleep(_RESTART_SECONDS)
            while self.held:
                await asyncio.sleep(_LOOK_SECONDS)
            # From this thread: a child gets its death signal when the thread that made it ends.
            self.server.launch()
            # A launch that failed, or was killed before it was ready, is made again by the next look.
            with suppress(EmbeddedServerError):
                while not self.server.is_ready() and not self._stopping:
                    await asyncio.sleep(_LOOK_SECONDS)


def nats_in(folder: Path) -> EmbeddedNats:
    return EmbeddedNats(folder / "nats", log_path=folder / "nats.log")


async def postgres_in(folder: Path) -> EmbeddedPostgres:
    """One that remembers when each transaction was committed: which claim came after which kill switch is no guess then."""
    server = EmbeddedPostgres(folder / "postgresql", log_path=folder / "postgresql.log")
    with server:
        connection = await asyncpg.connect(server.url)
        await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        await connection.close()
    return server


def place_of(server: EmbeddedServer) -> Place:
    if isinstance(server, EmbeddedPostgres):
        return Place(socket=server.socket_directory / ".s.PGSQL.5432")
    assert isinstance(server, EmbeddedNats)
    return Place(port=server.port)


def url_through(server: EmbeddedServer, port: int) -> str:
    """The server's URL for whoever goes through a link."""
    if isinstance(server, EmbeddedNats):
        return server.url.replace(f":{server.port}", f":{port}")
    return f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{DATABASE}?sslmode=disable"
