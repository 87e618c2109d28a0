"""An account's orders by its relay, as its user sees it: through it, not past it when it refuses, and straight again."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import System
from tests.e2e.support import finished, place, read, until
from vyomo_broker_kit.testing.relay import Relay, relaying

IN_FORCE_SECONDS = 5.5
"""An opened session is used this long before the record is looked at again."""


@pytest.fixture
def relay(system: System) -> Iterator[Relay]:
    """On a loop of its own; it leads to the sandbox."""
    told = Relay("socks5", system.status()["ports"]["smartapi"], credentials=("asha", "right"))
    is_up, is_over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with relaying(told):
            is_up.set()
            await is_over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert is_up.wait(5)
    yield told
    loop.call_soon_threadsafe(is_over.set)
    thread.join(5)
    loop.close()


def test_orders_go_by_the_relay_and_never_past_it(system: System, api: httpx.Client, relay: Relay) -> None:
    body = {"broker": "angel", "clientId": "ANG0042", "environment": "sandbox"}
    account: int = api.post("/api/brokers/accounts", json=body).json()["account"]["id"]
    path = f"/api/brokers/accounts/{account}"

    def is_signed_in() -> bool:
        return api.post(f"{path}/login", json={}).status_code == 200

    def is_in_force(changed: httpx.Response) -> dict[str, Any]:
        assert changed.status_code == 200, changed.text
        time.sleep(IN_FORCE_SECONDS)
        return changed.json()["account"]

    until(is_signed_in, seconds=30)
    way = {"relay": relay.url, "relayUser": "asha", "relayPassword": "right"}
    shown = is_in_force(api.put(f"{path}/egress", json=way))
    assert shown["egress"] == {"sourceAddress": None, "relay": relay.url, "relayUser": "asha"}
    order = place(api, account)
    assert finished(api, account, order["orderId"], seconds=20)["status"] == "COMPLETE"
    assert relay.asked == [f"127.0.0.1:{relay.port}"]

    is_in_force(api.put(f"{path}/egress", json={**way, "relayPassword": "canary-wrong"}))
    waiting = place(api, account)
    time.sleep(2)
    assert read(api, account, waiting["orderId"])["status"] == "PENDING"
    assert len(relay.asked) == 1

    is_in_force(api.delete(f"{path}/egress"))
    # What could not be sent in its time is over, not sent late.
    expired = finished(api, account, waiting["orderId"], seconds=20)
    assert (expired["status"], expired["state"]) == ("CANCELLED", "EXPIRED")
    straight = place(api, account)
    assert finished(api, account, straight["orderId"], seconds=20)["status"] == "COMPLETE"
    assert len(relay.asked) == 1
