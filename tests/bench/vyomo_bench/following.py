"""Orders followed on the WebSocket, in a process of its own: `python -m vyomo_bench.following`, plan in, result out.

Sequential: each order is placed when the one before was seen finished. Paced: orders leave at a fixed rate, as from many traders.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import cycle

from websockets.asyncio.client import ClientConnection, connect

from .children import call_module
from .errors import BenchError
from .http_client import HttpConnection, Reply, Target

_EVENT_LIMIT_SECONDS = 10.0
_ACCEPTED = 202
_FINISHED = frozenset({"FILLED", "CANCELLED", "REJECTED", "EXPIRED", "DENIED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPlan:
    host: str
    port: int
    key: str
    requests: list[str]
    count: int
    per_second: float | None = None
    """None: sequential."""
    connections: int = 1
    until: list[str] = field(default_factory=lambda: ["FILLED"])
    """States of which the first seen ends the wait."""


@dataclass(slots=True)
class FollowResult:
    accepted: list[float] = field(default_factory=list[float])
    """Seconds from POST to 202."""
    reached: list[float] = field(default_factory=list[float])
    """Seconds from POST to the event with a state of `until`."""
    delayed: list[float] = field(default_factory=list[float])
    """Seconds from an order's `updatedAt` to its event here."""
    order_ids: list[str] = field(default_factory=list[str])


class Follower:
    def __init__(self, plan: FollowPlan) -> None:
        self._plan = plan
        self._result = FollowResult()
        self._live = asyncio.Event()
        self._reached: dict[str, asyncio.Future[float]] = {}
        self._finished: dict[str, asyncio.Future[float]] = {}

    async def run(self) -> FollowResult:
        plan = self._plan
        target = Target(plan.host, plan.port)
        url = f"ws://{plan.host}:{plan.port}/ws"
        headers = {"Authorization": f"Bearer {plan.key}"}
        async with connect(url, additional_headers=headers, compression=None, max_size=None) as socket:
            reading = asyncio.create_task(self._read(socket))
            connections = [await HttpConnection.open(target) for _ in range(plan.connections)]
            await asyncio.wait_for(self._live.wait(), _EVENT_LIMIT_SECONDS)
            await (self._sequential(connections[0]) if plan.per_second is None else self._paced(connections))
            reading.cancel()
            for connection in connections:
                connection.close()
        return self._result

    async def _sequential(self, connection: HttpConnection) -> None:
        requests = cycle(request.encode() for request in self._plan.requests)
        for _ in range(self._plan.count):
            await self._place(connection, next(requests))

    async def _paced(self, connections: list[HttpConnection]) -> None:
        assert self._plan.per_second is not None
        idle: asyncio.Queue[HttpConnection] = asyncio.Queue()
        for connection in connections:
            idle.put_nowait(connection)
        requests = cycle(request.encode() for request in self._plan.requests)
        began = time.perf_counter()

        async def one(number: int) -> None:
            await asyncio.sleep(max(began + number / (self._plan.per_second or 1) - time.perf_counter(), 0))
            connection = await idle.get()
            await self._place(connection, next(requests), release=lambda: idle.put_nowait(connection))

        async with asyncio.TaskGroup() as group:
            for number in range(self._plan.count):
                group.create_task(one(number))

    async def _place(
        self, connection: HttpConnection, request: bytes, release: Callable[[], None] | None = None
    ) -> None:
        began = time.perf_counter()
        reply = await connection.ask(request)
        answered = time.perf_counter()
        if release is not None:
            release()
        order_id = _accepted_order(reply)
        self._result.order_ids.append(order_id)
        self._result.accepted.append(answered - began)
        reached = await self._heard(self._reached, order_id)
        self._result.reached.append(reached - began)
        await self._heard(self._finished, order_id)

    async def _heard(self, times: dict[str, asyncio.Future[float]], order_id: str) -> float:
        try:
            return await asyncio.wait_for(_future(times, order_id), _EVENT_LIMIT_SECONDS)
        except TimeoutError:
            raise BenchError(f"the events of {order_id} did not come in {_EVENT_LIMIT_SECONDS:g} s") from None

    async def _read(self, socket: ClientConnection) -> None:
        async for message in socket:
            now, wall = time.perf_counter(), time.time()
            said = json.loads(message)
            if said["type"] == "live":
                self._live.set()
            if said["type"] != "order":
                continue
            order = said["order"]
            self._result.delayed.append(wall - datetime.fromisoformat(order["updatedAt"]).timestamp())
            if order["state"] in self._plan.until:
                _note(self._reached, order["orderId"], now)
            if order["state"] in _FINISHED:
                _note(self._finished, order["orderId"], now)


def _future(times: dict[str, asyncio.Future[float]], order_id: str) -> asyncio.Future[float]:
    """When that was heard of the order: an event may overtake the answer to the POST, so either side may ask first."""
    return times.setdefault(order_id, asyncio.get_running_loop().create_future())


def _note(times: dict[str, asyncio.Future[float]], order_id: str, at: float) -> None:
    future = _future(times, order_id)
    if not future.done():
        future.set_result(at)


def _accepted_order(reply: Reply) -> str:
    if reply.status != _ACCEPTED:
        raise BenchError(f"an order was answered {reply.status}: {reply.body[:300].decode(errors='replace')}")
    return str(reply.json()["order"]["orderId"])


async def follow(plan: FollowPlan) -> FollowResult:
    """Run the plan in a process of its own and return what it measured."""
    limit = 30 + (plan.count / plan.per_second if plan.per_second else plan.count * 0.2)
    return FollowResult(**await call_module("following", asdict(plan), limit_seconds=limit))


def main() -> None:
    import uvloop  # noqa: PLC0415 - the orchestrator imports this module too and runs without it

    result = uvloop.run(Follower(FollowPlan(**json.load(sys.stdin))).run())
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
