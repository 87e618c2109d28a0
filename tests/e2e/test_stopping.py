"""Router and worker are told to stop while orders come in: each ends by itself, nobody is left waiting, nothing is delivered twice."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import nats
import pytest

from tests.e2e.conftest import System
from tests.e2e.support import far_price, finished, order_body, until
from vyomo_contracts.topology import worker_consumer

T = TypeVar("T")
STOPS_OF_EACH = 5
STOP_SECONDS = 15
RESTART_SECONDS = 60


class Load:
    """Places orders from some threads and keeps what was answered."""

    def __init__(self, system: System, account: int, price: float) -> None:
        self.answers: Counter[int] = Counter()
        self.accepted: list[str] = []
        self.failures: list[Exception] = []
        self.over = threading.Event()
        path, body = f"/api/brokers/accounts/{account}/orders", order_body(orderType="LIMIT", price=price)

        def place() -> None:
            with system.client() as client:
                while not self.over.is_set():
                    try:
                        answer = client.post(path, json=body)
                    except httpx.TransportError as error:
                        self.failures.append(error)
                        continue
                    self.answers[answer.status_code] += 1
                    if answer.status_code == 202:
                        self.accepted.append(answer.json()["order"]["orderId"])
                    else:
                        time.sleep(0.05)

        self.threads = [threading.Thread(target=place) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


class Bells:
    """The doorbells of the paper worker: those that were rung, as they are heard beside it, and those that were delivered."""

    def __init__(self, system: System) -> None:
        self._url = json.loads((system.state / "connections.json").read_text())["nats_url"]
        self._consumer = worker_consumer("paper", 0)
        self.rung = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._ask(nats.connect(self._url))
        self._ask(self._listen())
        self._before = self._ask(self._delivered())

    @property
    def delivered(self) -> int:
        """Since these were made."""
        return self._ask(self._delivered()) - self._before

    def end(self) -> None:
        self._ask(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        async def hear(_: object) -> None:
            self.rung += 1

        await self._client.subscribe(self._consumer.filter_subject, cb=hear)
        await self._client.flush()

    async def _delivered(self) -> int:
        info = await self._client.jetstream().consumer_info(
            self._consumer.stream, self._consumer.durable_name
        )
        assert info.delivered is not None
        return info.delivered.consumer_seq


def shown(system: System, service: str) -> dict[str, Any]:
    """As the supervisor wrote it down last."""
    status = json.loads((system.state / "status.json").read_text())
    return next(each for each in status["services"] if each["name"] == service)


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


@pytest.mark.timeout(400)
def test_router_and_worker_stop_under_load(system: System, api: httpx.Client, account: int) -> None:
    bells = Bells(system)
    load = Load(system, account, far_price(api, percent=-5))
    try:
        for _ in range(STOPS_OF_EACH):
            for service in ("order-router", "paper-exchange"):
                pid = shown(system, service)["pid"]
                os.kill(pid, signal.SIGTERM)
                until(lambda pid=pid: has_ended(pid), seconds=STOP_SECONDS)

                def is_back(service: str = service, pid: int = pid) -> bool:
                    now = shown(system, service)
                    return now["healthy"] and now["pid"] != pid

                until(is_back, seconds=RESTART_SECONDS)
    finally:
        load.end()

    assert load.failures == []
    assert set(load.answers) <= {202, 429, 503}
    assert load.accepted
    for order_id in load.accepted:
        finished(api, account, order_id, seconds=40)
    # Other brokers' bells are in the same stream, so only those of this consumer's subject are counted.
    until(lambda: bells.delivered >= bells.rung)
    assert bells.delivered == bells.rung
    bells.end()
    log = (system.state / "logs" / "supervisor.log").read_text()
    for service in ("order-router", "paper-exchange"):
        assert log.count(f"{service}: ended with code 0") >= STOPS_OF_EACH
