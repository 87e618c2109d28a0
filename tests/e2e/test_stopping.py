"""Router and worker are told to stop while orders come in: each ends by itself, nobody is left waiting, nothing is delivered twice."""

import asyncio
import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest

from tests.e2e.conftest import System
from tests.e2e.support import far_price, finished, order_body, until
from vyomo_contracts.topology import worker_consumer

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


def deliveries(system: System) -> tuple[int, int]:
    """How many doorbells of the paper worker were delivered, and up to which of the stream."""

    async def ask() -> tuple[int, int]:
        url = json.loads((system.state / "connections.json").read_text())["nats_url"]
        client = await nats.connect(url)
        try:
            consumer = worker_consumer("paper", 0)
            info = await client.jetstream().consumer_info(consumer.stream, consumer.durable_name)
            assert info.delivered is not None
            return info.delivered.consumer_seq, info.delivered.stream_seq
        finally:
            await client.close()

    return asyncio.run(ask())


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
    before = deliveries(system)
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
    after = deliveries(system)
    # A doorbell is a hint: one that a stop caught may ring twice or not at all, and no order waits for it.
    delivered, rung = after[0] - before[0], after[1] - before[1]
    assert abs(delivered - rung) <= rung // 100, (delivered, rung)
    log = (system.state / "logs" / "supervisor.log").read_text()
    for service in ("order-router", "paper-exchange"):
        assert log.count(f"{service}: ended with code 0") >= STOPS_OF_EACH
