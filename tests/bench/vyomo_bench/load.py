"""A load generator in a process of its own: `python -m vyomo_bench.load`, a plan on standard input, a result on standard output.

Closed loop: each client sends its next request when the one before is answered, until the time is over or the limit reached.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import cycle

from .children import call_module
from .errors import BenchError
from .http_client import HttpConnection, Reply, Target

_ORDER_ID = re.compile(rb'"orderId":"([^"]+)"')
_LAST_REPLIES_SECONDS = 15.0
_SHOWN_FAILURES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    host: str
    port: int
    requests: list[str]
    """Whole HTTP requests; client n of m sends every m-th of them, over and over."""
    clients: int
    seconds: float
    limit: int = 1_000_000
    expected_status: int = 200


@dataclass(slots=True)
class LoadResult:
    began_at: float = 0.0
    """Wall-clock time of the first request."""
    ended_at: float = 0.0
    """Wall-clock time of the last reply."""
    seconds: list[float] = field(default_factory=list[float])
    """Latency of each expected reply."""
    order_ids: list[str] = field(default_factory=list[str])
    failed: int = 0
    failures: list[str] = field(default_factory=list[str])

    @property
    def per_second(self) -> float:
        return len(self.seconds) / (self.ended_at - self.began_at)


class Load:
    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._result = LoadResult()
        self._sent = 0
        self._stop_at = 0.0
        self._working = plan.clients
        self._done = asyncio.Event()

    async def run(self) -> LoadResult:
        plan = self._plan
        connections = await asyncio.gather(
            *(HttpConnection.open(Target(plan.host, plan.port)) for _ in range(plan.clients))
        )
        requests = [request.encode() for request in plan.requests]
        began = time.perf_counter()
        self._stop_at = began + plan.seconds
        self._result.began_at = time.time()
        for number, connection in enumerate(connections):
            mine = requests[number % len(requests) :: plan.clients] or requests
            _Client(self, connection, cycle(mine)).send_next()
        try:
            await asyncio.wait_for(self._done.wait(), plan.seconds + _LAST_REPLIES_SECONDS)
        except TimeoutError:
            self._fail(f"{self._working} clients still wait {_LAST_REPLIES_SECONDS:g} s after the end")
        self._result.ended_at = time.time()
        for connection in connections:
            connection.close()
        return self._result

    def may_send(self) -> bool:
        if self._sent >= self._plan.limit or time.perf_counter() >= self._stop_at:
            return False
        self._sent += 1
        return True

    def replied(self, reply: Reply, seconds: float) -> None:
        if reply.status != self._plan.expected_status:
            self._fail(f"{reply.status} {reply.body[:300].decode(errors='replace')}")
            return
        self._result.seconds.append(seconds)
        found = _ORDER_ID.search(reply.body)
        if found:
            self._result.order_ids.append(found[1].decode())

    def ended(self) -> None:
        self._working -= 1
        if self._working == 0:
            self._done.set()

    def _fail(self, what: str) -> None:
        self._result.failed += 1
        if len(self._result.failures) < _SHOWN_FAILURES:
            self._result.failures.append(what)


class _Client:
    def __init__(self, load: Load, connection: HttpConnection, requests: "cycle[bytes]") -> None:
        self._load = load
        self._connection = connection
        self._requests = requests
        self._sent_at = 0.0

    def send_next(self) -> None:
        if not self._load.may_send():
            self._load.ended()
            return
        self._sent_at = time.perf_counter()
        self._connection.send(next(self._requests), self._replied)

    def _replied(self, reply: Reply) -> None:
        self._load.replied(reply, time.perf_counter() - self._sent_at)
        if reply.status:
            self.send_next()
        else:
            self._load.ended()


async def generate(plan: LoadPlan) -> LoadResult:
    """Run the plan in a process of its own and return what it measured.

    Raises:
        BenchError: a reply was not the expected one; such a run measures something else.
    """
    limit = plan.seconds + 2 * _LAST_REPLIES_SECONDS
    result = LoadResult(**await call_module("load", asdict(plan), limit_seconds=limit))
    if result.failed:
        raise BenchError(
            f"{result.failed} replies were not {plan.expected_status}, such as: {result.failures}"
        )
    return result


def main() -> None:
    import uvloop  # noqa: PLC0415 - the orchestrator imports this module too and runs without it

    plan = LoadPlan(**json.load(sys.stdin))
    result = uvloop.run(Load(plan).run())
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
