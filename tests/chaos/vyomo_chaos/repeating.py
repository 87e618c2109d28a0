"""The same idempotency key from many clients at once, over and over while processes die: one order a key, whoever asked first."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from vyomo_bench.http_client import CONNECTION_LOST, HttpConnection, Reply, Target
from vyomo_bench.system import orders_path

from .load import AcceptedOrder

CLIENTS: Final = 50
_CALL_SECONDS: Final = 8.0
_AGAIN_SECONDS: Final = 0.25
_PASSING: Final = frozenset({CONNECTION_LOST, 429, 500, 503})


@dataclass
class Repeaters:
    target: Target
    accounts: Sequence[int]
    price: float
    seed: int
    answered: int = 0
    """Calls with a repeated key that got a verdict."""
    among_faults: int = 0
    keys: int = 0
    other_bodies: int = 0
    """Calls with a used key and another body; each must be refused with 422."""
    broken: list[str] = field(default_factory=list[str])
    orders: list[AcceptedOrder] = field(default_factory=list[AcceptedOrder])

    def __post_init__(self) -> None:
        self._chance = random.Random(f"repeats {self.seed}")
        self._clients = [_Client(self.target) for _ in range(CLIENTS)]
        self.faults_over = False

    async def run(self, count: int) -> None:
        """Waves: every client sends one key at once, the next key follows when all have an answer."""
        try:
            while self.answered < count:
                await self._wave()
        finally:
            for client in self._clients:
                client.close()

    async def _wave(self) -> None:
        self.keys += 1
        key = f"repeat-{self.seed}-{self.keys}"
        account_id = self._chance.choice(self.accounts)
        body = self._body(quantity=10)
        request = self._request(account_id, key, body)
        sent_at = time.time()
        replies = await asyncio.gather(*(client.until_verdict(request) for client in self._clients))
        self.answered += len(replies)
        self.among_faults += 0 if self.faults_over else len(replies)
        said = {_verdict(reply) for reply in replies}
        order_id, is_accepted = said.pop()
        if said or order_id is None:
            self.broken.append(
                f"{key}: {len(said) + 1} answers, such as {order_id}, {replies[0].body[:200]!r}"
            )
            return
        if is_accepted:
            self.orders.append(AcceptedOrder(order_id, account_id, sent_at, time.time()))
        other = self._request(account_id, key, {**body, "quantity": 11})
        reply = await self._clients[self.keys % CLIENTS].until_verdict(other)
        self.other_bodies += 1
        if reply.status != 422:
            self.broken.append(f"{key}: another body was answered {reply.status}")

    def _request(self, account_id: int, key: str, body: dict[str, Any]) -> bytes:
        return self.target.request("POST", orders_path(account_id), body, {"Idempotency-Key": key})

    def _body(self, quantity: int) -> dict[str, Any]:
        return {
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transactionType": self._chance.choice(("BUY", "SELL")),
            "orderType": "LIMIT",
            "quantity": quantity,
            "price": self.price,
            "product": "MIS",
            "validity": "DAY",
        }


class _Client:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: HttpConnection | None = None

    async def until_verdict(self, request: bytes) -> Reply:
        while True:
            with suppress(OSError, TimeoutError):
                reply = await asyncio.wait_for(self._ask(request), _CALL_SECONDS)
                if reply.status not in _PASSING:
                    return reply
                if reply.status != CONNECTION_LOST:
                    await asyncio.sleep(_AGAIN_SECONDS)
                    continue
            self.close()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _ask(self, request: bytes) -> Reply:
        if self._connection is None:
            self._connection = await HttpConnection.open(self._target)
        return await self._connection.ask(request)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _verdict(reply: Reply) -> tuple[str | None, bool]:
    """The order that the key stands for, and whether it was accepted: one that is denied is recorded too, and denied ever after."""
    order = reply.json().get("order")
    return None if order is None else order["orderId"], reply.status in {200, 202}
