"""Looks for secrets in all that a running system writes: its logs, everything said on its bus, and every row of its database."""

import asyncio
import json
import threading
from collections.abc import Iterable, Sequence
from typing import Self

import asyncpg
import nats
from nats.aio.msg import Msg

from tests.e2e.conftest import System


class Eavesdropper:
    """Hears every subject of the bus while it is entered, replies included."""

    def __init__(self, system: System) -> None:
        self._url = connections(system)["nats_url"]
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self.said: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    async def _listen(self) -> None:
        async def hear(message: Msg) -> None:
            headers = json.dumps(dict(message.headers or {})).encode()
            self.said.append(message.subject.encode() + headers + message.data)

        client = await nats.connect(self._url)
        await client.subscribe(">", cb=hear)
        await client.flush()
        self._ready.set()
        await asyncio.to_thread(self._over.wait)
        await client.close()


def connections(system: System) -> dict[str, str]:
    return json.loads((system.state / "connections.json").read_text())


def rows_of(system: System) -> dict[str, str]:
    """Every table as text, as a dump would hold it."""

    async def read() -> dict[str, str]:
        connection = await asyncpg.connect(connections(system)["postgres_url"])
        try:
            tables = await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
            return {
                table["name"]: "\n".join(
                    row["text"]
                    for row in await connection.fetch(f"SELECT t::text AS text FROM {table['name']} t")
                )
                for table in tables
            }
        finally:
            await connection.close()

    return asyncio.run(read())


def leaks(places: Iterable[tuple[str, str]], secrets: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, each) for name, text in places for each in secrets if each in text]


def assert_nothing_leaked(system: System, heard: Eavesdropper, secrets: Sequence[str]) -> None:
    logs = [(path.name, path.read_text(errors="replace")) for path in (system.state / "logs").iterdir()]
    said = [("bus", each.decode(errors="replace")) for each in list(heard.said)]
    rows = rows_of(system)

    # That something was looked at, and would have been seen.
    assert {"broker-zerodha.log", "gateway.log"} <= {name for name, _ in logs}
    assert any(".session.sign_in" in text or "sign_in" in text for _, text in said)
    assert "vys1." in rows["accounts.broker_accounts"]
    assert leaks([*logs, *said, *rows.items()], secrets) == []
