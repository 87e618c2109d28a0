"""Who is acknowledged, who is answered and where poison goes, on a real server."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from faststream import AckPolicy
from faststream.nats import JStream

from vyomo_contracts import subjects
from vyomo_contracts.commands import CancelOrders, OrderReplies, RingDoorbell
from vyomo_contracts.messages import Failure
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import DEAD_LETTERS, DOORBELLS, Consumer, worker_consumer
from vyomo_service_kit.bus import Bus, consumer_config, declare_topology
from vyomo_service_kit.consuming import POISON_DELIVERIES, DeadLetter
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.testing import eventually

CONSUMER = worker_consumer("paper", 0)
SUBJECT = subjects.doorbell("paper", 0)
DEAD = subjects.dead_letters(CONSUMER.durable_name)
MakeDoorbell = Callable[..., RingDoorbell]


class Handler:
    """Fails as often as told, then succeeds; remembers each delivery."""

    def __init__(self, *, failures: int = 0) -> None:
        self.failures = failures
        self.deliveries: list[tuple[int, ...]] = []

    async def __call__(self, message: RingDoorbell) -> None:
        self.deliveries.append(message.account_ids)
        if len(self.deliveries) <= self.failures:
            raise RuntimeError(f"failure {len(self.deliveries)}")


class Box:
    """Keeps dead letters, unless told that it cannot."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.is_closed = False

    async def keep(self, letter: DeadLetter) -> None:
        if self.is_closed:
            raise RecordUnavailableError("the database is away")
        self.letters.append(letter)


@asynccontextmanager
async def consuming(
    nats_url: str,
    handler: Any,
    *,
    retry_delays_seconds: tuple[float, ...] = (0.01,),
    consumer: Consumer = CONSUMER,
    box: Box | None = None,
) -> AsyncGenerator[Bus]:
    bus = Bus(nats_url, name="test", retry_delays_seconds=retry_delays_seconds)
    bus.keep_dead_letter = (box or Box()).keep
    bus.broker.subscriber(
        consumer.filter_subject,
        stream=JStream(DOORBELLS.name, declare=False),
        queue=consumer.durable_name,
        config=consumer_config(consumer),
        ack_policy=AckPolicy.MANUAL,
    )(handler)
    await bus.connect()
    await declare_topology(bus.stored, (consumer,))
    async with bus.open():
        yield bus


async def settled(bus: Bus) -> bool:
    """Nothing waits and nothing is outstanding."""
    state = await bus.stored.consumer_info(CONSUMER.stream, CONSUMER.durable_name)
    return (state.num_pending, state.num_ack_pending) == (0, 0)


async def dead_letters(bus: Bus) -> int:
    return (await bus.stored.stream_info(DEAD_LETTERS.name)).state.messages


async def test_handled_message_is_acknowledged(nats_url: str, doorbell: MakeDoorbell) -> None:
    handler = Handler()
    async with consuming(nats_url, handler) as bus:
        await bus.store(SUBJECT, doorbell(1).model_dump_json().encode(), message_id="1")

        await eventually(lambda: settled(bus))

        assert handler.deliveries == [(1,)]
        assert await dead_letters(bus) == 0


async def test_failed_message_comes_again_and_is_then_acknowledged(
    nats_url: str, doorbell: MakeDoorbell
) -> None:
    handler = Handler(failures=2)
    async with consuming(nats_url, handler) as bus:
        await bus.store(SUBJECT, doorbell(1).model_dump_json().encode(), message_id="1")

        await eventually(lambda: len(handler.deliveries) == 3)
        await eventually(lambda: settled(bus))

        assert await dead_letters(bus) == 0


async def test_failed_message_lets_others_pass_meanwhile(nats_url: str, doorbell: MakeDoorbell) -> None:
    handler = Handler(failures=1)
    async with consuming(nats_url, handler, retry_delays_seconds=(1.0,)) as bus:
        for number in (1, 2):
            await bus.store(SUBJECT, doorbell(number).model_dump_json().encode(), message_id=str(number))

        await eventually(lambda: handler.deliveries == [(1,), (2,), (1,)])


@pytest.mark.parametrize(
    "payload",
    [b"", b"no json at all", b"\xff\xfe", b"[1, 2]", b"null", b'{"account_ids": "many"}'],
    ids=["empty", "not JSON", "not text", "list", "null", "wrong fields"],
)
async def test_unreadable_message_is_kept_as_a_dead_letter_and_not_delivered_again(
    nats_url: str, payload: bytes
) -> None:
    handler, box = Handler(), Box()
    async with consuming(nats_url, handler, box=box) as bus:
        await bus.store(SUBJECT, payload, message_id="1")

        await eventually(lambda: dead_letters(bus))
        await eventually(lambda: settled(bus))

        letter = await bus.stored.get_last_msg(DEAD_LETTERS.name, DEAD)
        assert (letter.data or b"") == payload
        assert letter.headers is not None
        assert letter.headers["Vyomo-Subject"] == SUBJECT
        assert letter.headers["Vyomo-Why"].startswith("unreadable")
        assert handler.deliveries == []
        assert await dead_letters(bus) == 1
        [kept] = box.letters
        assert (kept.consumer, kept.stream, kept.subject) == (CONSUMER.durable_name, DOORBELLS.name, SUBJECT)
        assert (kept.payload, kept.deliveries) == (payload, 1)


async def test_message_that_fails_time_after_time_becomes_a_dead_letter(
    nats_url: str, doorbell: MakeDoorbell
) -> None:
    handler, box = Handler(failures=100), Box()
    async with consuming(nats_url, handler, box=box) as bus:
        payload = doorbell(1).model_dump_json().encode()
        await bus.store(SUBJECT, payload, message_id="1")

        await eventually(lambda: dead_letters(bus))
        await eventually(lambda: settled(bus))

        letter = await bus.stored.get_last_msg(DEAD_LETTERS.name, DEAD)
        assert letter.data == payload
        assert letter.headers is not None
        assert "failure 10" in letter.headers["Vyomo-Why"]
        [kept] = box.letters
        assert (kept.payload, kept.deliveries) == (payload, POISON_DELIVERIES)
        assert "raise RuntimeError" in (kept.traceback or "")
        assert len(handler.deliveries) == POISON_DELIVERIES


async def test_message_is_not_given_up_while_it_cannot_be_buried(
    nats_url: str, doorbell: MakeDoorbell
) -> None:
    handler, box = Handler(failures=POISON_DELIVERIES), Box()
    box.is_closed = True
    async with consuming(nats_url, handler, consumer=replace(CONSUMER, ack_wait=1), box=box) as bus:
        await bus.store(SUBJECT, doorbell(1).model_dump_json().encode(), message_id="1")

        await eventually(lambda: len(handler.deliveries) > POISON_DELIVERIES, timeout=20)

        assert await dead_letters(bus) == 0


async def test_letter_is_kept_though_its_stream_is_away(nats_url: str) -> None:
    box = Box()
    async with consuming(nats_url, Handler(), box=box) as bus:
        await bus.stored.delete_stream(DEAD_LETTERS.name)
        await bus.store(SUBJECT, b"no json at all", message_id="1")

        await eventually(lambda: settled(bus))

        assert [letter.payload for letter in box.letters] == [b"no json at all"]


async def serve_cancel(bus: Bus, handler: Callable[[CancelOrders], Any]) -> None:
    @bus.broker.subscriber("test.cancel")
    async def on_cancel(message: CancelOrders) -> OrderReplies:
        return handler(message)


async def answer_of(bus: Bus, payload: bytes) -> Failure:
    headers = {"content-type": "application/json"}
    reply = await bus.client.request("test.cancel", payload, timeout=2, headers=headers)
    return Failure.model_validate_json(reply.data)


@pytest.mark.parametrize(
    "payload",
    [b"", b"no json", b"\xff\xfe", b"[]", b'{"items": 7}'],
    ids=["empty", "not JSON", "not text", "list", "wrong fields"],
)
async def test_unreadable_request_is_answered_at_once(nats_url: str, payload: bytes) -> None:
    bus = Bus(nats_url, name="test")
    calls: list[CancelOrders] = []
    await serve_cancel(bus, calls.append)

    async with bus.open():
        answer = await answer_of(bus, payload)

    assert answer.problem.code is ReasonCode.INVALID_FIELD
    assert calls == []


async def test_answer_to_an_unreadable_request_names_the_fields_and_not_their_content(nats_url: str) -> None:
    bus = Bus(nats_url, name="test")
    await serve_cancel(bus, list[CancelOrders]().append)

    async with bus.open():
        answer = await answer_of(
            bus, json.dumps({"items": [], "sealed": "s3cret", "id": ["s3cret"]}).encode()
        )

    assert "correlation_id" in answer.problem.message
    assert "s3cret" not in answer.problem.message


async def test_failed_request_is_answered_without_the_reason(nats_url: str, doorbell: MakeDoorbell) -> None:
    bus = Bus(nats_url, name="test")

    def fail(_: CancelOrders) -> None:
        RingDoorbell.model_validate(
            {}
        )  # a model that fails inside is the handler's failure, not the caller's

    await serve_cancel(bus, fail)
    message = {
        **doorbell().model_dump(mode="json"),
        "items": [{"principal": {"user_id": "asha", "key_id": "k"}, "account_id": 1, "order_id": "PAPER_01"}],
    }

    async with bus.open():
        answer = await answer_of(bus, json.dumps(message).encode())

    assert answer.problem.code is ReasonCode.INTERNAL_ERROR
    assert "account_ids" not in answer.problem.message
