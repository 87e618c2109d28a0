"""Messages that come twice, and late: what was said on the bus is said again by somebody who listened."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from vyomo_contracts import subjects

_SHARE: Final = 0.05
_LATEST_SECONDS: Final = 3.0


@dataclass
class Echoes:
    """Doorbells are commands that are delivered twice (F8); events come twice and after younger ones (F15)."""

    url: str
    seed: int
    doorbells: int = 0
    events: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Echoes"]:
        client = await nats.connect(
            self.url, name="echoes", max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=_ignored
        )
        chance = random.Random(f"echoes {self.seed}")
        pending: set[asyncio.Task[None]] = set()

        async def heard(message: Msg) -> None:
            if "Echo" in (message.headers or {}) or chance.random() >= _SHARE:
                return
            task = asyncio.create_task(self._repeat(client, message, chance.uniform(0, _LATEST_SECONDS)))
            pending.add(task)
            task.add_done_callback(pending.discard)

        await client.subscribe(subjects.ALL_DOORBELLS, cb=heard)
        await client.subscribe(subjects.ALL_EVENTS, cb=heard)
        try:
            yield self
        finally:
            for task in pending:
                task.cancel()
            with suppress(NatsError, OSError, TimeoutError):
                await asyncio.wait_for(client.close(), 2)

    async def _repeat(self, client: Client, message: Msg, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if not client.is_connected:
            return
        # Without its message id: the server would drop it as the same message.
        headers = {"Echo": "1", "content-type": "application/json"}
        with suppress(NatsError, OSError):
            await client.publish(message.subject, message.data, headers=headers)
            if message.subject.startswith(subjects.ALL_EVENTS.removesuffix(">")):
                self.events += 1
            else:
                self.doorbells += 1


async def _ignored(_: Exception) -> None:
    """The bus is killed all the time."""
