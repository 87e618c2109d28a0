"""Orders from clients that never give up: each key is sent again until it has a verdict, as a careful program would."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

QUANTITY: Final = 10
_CALL_SECONDS: Final = 8.0
_AGAIN_SECONDS: Final = 0.25
_LONGEST_AGAIN_SECONDS: Final = 2.0
_VERDICT_LIMIT_SECONDS: Final = 150.0
_MOST_AT_ONCE: Final = 200
"""Orders on their way; while an outage lasts, no more are begun: what waits must not grow with the outage."""
_REPEATED: Final = 0.1
"""Share of accepted keys that are sent once more: the answer must be the same order."""
_CHANGED: Final = 0.02
"""Share of accepted keys that are sent with another body: the answer must be 422."""
_CANCELLED: Final = 0.1


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    order_id: str
    account_id: int
    sent_at: float
    """Wall-clock time of the try that was answered."""
    answered_at: float


@dataclass
class Told:
    """What the clients were told, to be held against the record."""

    accepted: list[AcceptedOrder] = field(default_factory=list[AcceptedOrder])
    refused: dict[str, int] = field(default_factory=dict[str, int])
    """Orders that were refused for good, by error code."""
    unavailable: int = 0
    """Answers 503 and broken connections, each followed by another try."""
    slow_refusals: int = 0
    """Answers 503 that took longer than the three seconds promised."""
    commits_unknown: int = 0
    """Orders recorded by a try that was told that the record cannot be reached: the commit's answer was lost."""
    keys_repeated: int = 0
    keys_broken: list[str] = field(default_factory=list[str])
    """Keys that led to two orders, or to none though accepted."""
    without_verdict: list[str] = field(default_factory=list[str])


class Clients:
    def __init__(self, url: str, key: str, accounts: Sequence[int], price: float, seed: int) -> None:
        self.told = Told()
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_CALL_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=64),
        )
        self._accounts = accounts
        self._price = price
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._seed = seed
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self._awake = asyncio.Event()
        self._awake.set()
        self._slept = 0.0
        self._finished = False
        self._asleep_since = 0.0

    def freeze(self, frozen: bool) -> None:  # noqa: FBT001 - a switch
        """Clients stand still too; the time counts for nobody's patience."""
        now = time.monotonic()
        if frozen:
            self._awake.clear()
            self._asleep_since = now
        elif not self._awake.is_set():
            self._slept += now - self._asleep_since
            self._awake.set()

    def patience(self) -> float:
        """A clock that stands still while everything does."""
        return (time.monotonic() if self._awake.is_set() else self._asleep_since) - self._slept

    def finish(self) -> None:
        """No further orders; those on their way still get their verdicts."""
        self._finished = True

    async def run(self, per_second: float) -> None:
        """Until told to finish. Open loop: orders leave at their rate whether or not earlier ones were answered."""
        async with asyncio.TaskGroup() as orders:
            while not self._finished:
                await self._room.acquire()
                await self._awake.wait()
                order = orders.create_task(self._place())
                order.add_done_callback(lambda _: self._room.release())
                await asyncio.sleep(self._chance.expovariate(per_second))

    async def close(self) -> None:
        await self._http.aclose()

    async def cancel_all(self, orders: Sequence[tuple[int, str]]) -> None:
        await asyncio.gather(*(self._cancel(account_id, order_id) for account_id, order_id in orders))

    async def _cancel(self, account_id: int, order_id: str) -> None:
        with suppress(httpx.HTTPError):
            await self._http.delete(f"/api/brokers/accounts/{account_id}/orders/{order_id}")

    async def _place(self) -> None:
        key = f"chaos-{self._seed}-{next(self._numbers)}"
        account_id = self._chance.choice(self._accounts)
        body = {
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transactionType": self._chance.choice(("BUY", "SELL")),
            "orderType": "LIMIT",
            "quantity": QUANTITY,
            "price": self._price,
            "product": "MIS",
            "validity": "DAY",
        }
        luck = self._chance.random()
        answer = await self._until_verdict(account_id, body, key)
        if answer is None:
            self.told.without_verdict.append(key)
            return
        response, sent_at = answer
        content = response.json()
        if response.status_code not in {200, 202}:
            code = content["error"]["code"]
            self.told.refused[code] = self.told.refused.get(code, 0) + 1
            return
        order_id = content["order"]["orderId"]
        self.told.accepted.append(AcceptedOrder(order_id, account_id, sent_at, time.time()))
        if luck < _REPEATED:
            await self._repeat(account_id, body, key, order_id)
        elif luck < _REPEATED + _CHANGED:
            await self._contradict(account_id, body, key)
        elif luck < _REPEATED + _CHANGED + _CANCELLED:
            await self.cancel_all([(account_id, order_id)])

    async def _until_verdict(
        self, account_id: int, body: dict[str, Any], key: str
    ) -> tuple[httpx.Response, float] | None:
        give_up_at, pause, code = self.patience() + _VERDICT_LIMIT_SECONDS, _AGAIN_SECONDS, ""
        while self.patience() < give_up_at:
            await self._awake.wait()
            sent_at, began = time.time(), self.patience()
            try:
                response = await self._http.post(
                    f"/api/brokers/accounts/{account_id}/orders", json=body, headers={"Idempotency-Key": key}
                )
            except httpx.HTTPError:
                code = "nothing heard"
                self.told.unavailable += 1
            else:
                if response.status_code not in {429, 500, 503}:
                    replayed = "Idempotency-Replayed" in response.headers
                    self.told.commits_unknown += replayed and code == "RECORD_UNAVAILABLE"
                    return response, sent_at
                code = response.json()["error"]["code"]
                self.told.unavailable += 1
                self.told.slow_refusals += self.patience() - began > 3.5
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_AGAIN_SECONDS)
        return None

    async def _repeat(self, account_id: int, body: dict[str, Any], key: str, order_id: str) -> None:
        answer = await self._until_verdict(account_id, body, key)
        if answer is None:
            return
        self.told.keys_repeated += 1
        content = answer[0].json()
        if content.get("order", {}).get("orderId") != order_id:
            self.told.keys_broken.append(f"{key}: {json.dumps(content)[:200]}")

    async def _contradict(self, account_id: int, body: dict[str, Any], key: str) -> None:
        answer = await self._until_verdict(account_id, {**body, "quantity": QUANTITY + 1}, key)
        if answer is not None and answer[0].status_code != 422:
            self.told.keys_broken.append(f"{key}: another body was answered {answer[0].status_code}")
