"""The bus in memory: hints and requests may be lost, doubled, late or out of order; what is stored may be stored unheard."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson
from pydantic import BaseModel

from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.messages import Envelope
from vyomo_service_kit.bus import Bus, BusUnavailableError, NoAnswerError

from .loop import Process, VirtualLoop


@dataclass(slots=True)
class BusFaults:
    seconds: float = 0.002
    """Mean time of a message."""
    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    """Chance of a message to take up to two seconds: it is overtaken."""
    store_refused: float = 0.0
    answer_lost: float = 0.0
    """Stored, or served, but the sender hears nothing."""


class BusServer:
    def __init__(self, loop: VirtualLoop, random: Random, faults: BusFaults | None = None) -> None:
        self.loop = loop
        self.faults = faults or BusFaults()
        self.is_down = False
        self.stored: dict[str, dict[int, dict[str, Any]]] = {}
        """Every order event that was ever stored, by order and version: what consumers could have heard."""
        self.decisions: set[int] = set()
        """Sequences of the risk decisions that were ever stored."""
        self.contradictions: list[str] = []
        self.wipes = 0
        self._random = random
        self._bells: list[tuple[Process, Callable[[tuple[int, ...]], None]]] = []
        self._services: dict[str, list[tuple[Process, Callable[[Any], Awaitable[Any]]]]] = {}
        self._era = 0

    def wipe(self) -> None:
        """Every stream is gone, with what was under way to its consumers."""
        self.wipes += 1
        self._era += 1

    def listen_for_bells(self, process: Process, ring: Callable[[tuple[int, ...]], None]) -> None:
        self._bells = [(each, bell) for each, bell in self._bells if each.is_alive]
        self._bells.append((process, ring))

    def serve(self, process: Process, subject: str, handler: Callable[[Any], Awaitable[Any]]) -> None:
        servers = self._services.get(subject, [])
        self._services[subject] = [(each, known) for each, known in servers if each.is_alive] + [
            (process, handler)
        ]

    def ring(self, account_ids: tuple[int, ...]) -> None:
        """One of the consumer's group gets it, whoever that is; two get it when it is delivered again."""
        if self.is_down or self._strikes(self.faults.lost):
            return
        for _ in range(2 if self._strikes(self.faults.doubled) else 1):
            self.loop.later(self._travel_seconds(), self._deliver_bell, account_ids, self._era)

    def _deliver_bell(self, account_ids: tuple[int, ...], era: int) -> None:
        listening = [(process, ring) for process, ring in self._bells if process.is_alive]
        if era == self._era and listening:
            process, ring = self._random.choice(listening)
            self.loop.call_soon(ring, account_ids, context=process.context.copy())

    async def ask(self, subject: str, question: Any, *, seconds: float) -> Any:
        """Core NATS: one of those who serve it, which may be a paused one; at most once."""
        servers = [each for each in self._services.get(subject, ()) if each[0].is_alive]
        if self.is_down or not servers:
            raise BusUnavailableError(subject, "nobody serves it")
        answer: asyncio.Future[Any] = self.loop.create_future()
        process, handler = self._random.choice(servers)
        if not self._strikes(self.faults.lost):
            self.loop.later(
                self._travel_seconds(), self._deliver_question, process, handler, question, answer
            )
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError as error:
            raise NoAnswerError(subject, "no answer in time") from error

    def _deliver_question(
        self,
        process: Process,
        handler: Callable[[Any], Awaitable[Any]],
        question: Any,
        answer: "asyncio.Future[Any]",
    ) -> None:
        async def serve() -> None:
            said = await handler(question)
            if not self.is_down and not self._strikes(self.faults.answer_lost):
                self.loop.later(self._travel_seconds(), _say, answer, said)

        if process.is_alive:
            process.spawn(serve())

    async def store(self, subject: str, payload: bytes) -> None:
        is_slow_there = self._random.random() < 0.5
        if is_slow_there:
            await self.loop.pause(self._travel_seconds())
        if self.is_down or self._strikes(self.faults.store_refused):
            raise BusUnavailableError(subject, "not stored")
        self._keep(payload)
        if not is_slow_there:
            await self.loop.pause(self._travel_seconds())
        if self.is_down or self._strikes(self.faults.answer_lost):
            raise BusUnavailableError(subject, "acknowledgement lost")

    def _keep(self, payload: bytes) -> None:
        for item in orjson.loads(payload)["items"]:
            if item.get("kind") == "risk":
                self.decisions.add(item["sequence"])
            order = item.get("order")
            if order is None:  # news of an account, which no promise is about
                continue
            versions = self.stored.setdefault(order["order_id"], {})
            body = {"order": order, "fills": item["fills"]}
            if item.get("superseded_fills"):
                body["superseded_fills"] = item["superseded_fills"]
            if versions.setdefault(order["version"], body) != body:
                self.contradictions.append(
                    f"{order['order_id']} has two versions {order['version']} on the bus"
                )

    def _travel_seconds(self) -> float:
        if self._strikes(self.faults.late):
            return self._random.uniform(0, 2)
        return self._random.expovariate(1 / self.faults.seconds)

    def _strikes(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance


class MemoryBus(Bus):
    """What one process is given instead of a connection."""

    def __init__(self, server: BusServer) -> None:
        self._server = server

    @property
    def is_connected(self) -> bool:
        return not self._server.is_down

    async def publish(self, subject: str, message: Envelope) -> None:
        assert isinstance(message, RingDoorbell), subject
        self._server.ring(message.account_ids)

    async def store(self, subject: str, payload: bytes, *, message_id: str) -> None:  # noqa: ARG002 - no duplicate window: consumers gate by version
        await self._server.store(subject, payload)

    async def request(self, subject: str, message: BaseModel, answer: Any, *, timeout_seconds: float) -> Any:
        raise NotImplementedError(subject)


def _say(answer: "asyncio.Future[Any]", said: Any) -> None:
    if not answer.done():
        answer.set_result(said)
