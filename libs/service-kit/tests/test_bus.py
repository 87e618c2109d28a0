import asyncio
import time
from collections.abc import Callable

import pytest
from nats.errors import ConnectionClosedError

from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.messages import Failure, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_service_kit.bus import Bus, BusUnavailableError, RequestRefusedError
from vyomo_service_kit.embedded import EmbeddedNats
from vyomo_service_kit.testing import eventually

SUBJECT = "test.echo"
MakeDoorbell = Callable[..., RingDoorbell]


def serve_echo(bus: Bus) -> None:
    @bus.broker.subscriber(SUBJECT)
    async def echo(message: RingDoorbell) -> RingDoorbell:
        return message


async def test_request_gets_the_answer_of_whoever_serves_it(nats_url: str, doorbell: MakeDoorbell) -> None:
    bus = Bus(nats_url, name="test")
    serve_echo(bus)

    async with bus.open():
        answer = await bus.request(SUBJECT, doorbell(1, 2), RingDoorbell, timeout_seconds=2)

    assert answer == doorbell(1, 2)


async def test_flush_returns_when_the_server_has_read_the_subscriptions() -> None:
    async def ignore(_: object) -> None:
        return

    read: list[bytes] = []
    answered_after: list[int] = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","max_payload":1048576,"headers":true}\r\n')
        while line := await reader.readline():
            read.append(line.partition(b" ")[0].strip())
            if read[-1] == b"PING":
                answered_after.append(len(read))
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        bus = Bus(f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}", name="test")
        await bus.connect()
        await bus.client.subscribe(SUBJECT, cb=ignore)

        await bus.until_subscribed()

        assert b"SUB" in read[: answered_after[-1]]
        await bus.client.close()


async def test_request_that_nobody_serves_fails_at_once(caller: Bus, doorbell: MakeDoorbell) -> None:
    began = time.monotonic()

    with pytest.raises(BusUnavailableError, match="nobody serves it"):
        await caller.request(SUBJECT, doorbell(), RingDoorbell, timeout_seconds=30)

    assert time.monotonic() - began < 5


async def test_request_that_is_not_answered_fails_within_its_limit(
    caller: Bus, doorbell: MakeDoorbell
) -> None:
    async def silent(_: object) -> None:
        return

    await caller.client.subscribe(SUBJECT, cb=silent)

    with pytest.raises(BusUnavailableError, match="no answer in time"):
        await caller.request(SUBJECT, doorbell(), RingDoorbell, timeout_seconds=0.05)


async def test_failure_as_an_answer_is_a_refusal(nats_url: str, doorbell: MakeDoorbell) -> None:
    bus = Bus(nats_url, name="test")

    @bus.broker.subscriber(SUBJECT)
    async def refuse(_: RingDoorbell) -> Failure:
        return Failure(problem=Problem(code=ReasonCode.INTERNAL_ERROR, message="not today"))

    async with bus.open():
        with pytest.raises(RequestRefusedError, match="not today"):
            await bus.request(SUBJECT, doorbell(), RingDoorbell, timeout_seconds=2)


async def test_bus_that_is_not_open_yet_is_unavailable(nats_url: str, doorbell: MakeDoorbell) -> None:
    bus = Bus(nats_url, name="test")

    with pytest.raises(BusUnavailableError):
        await bus.request(SUBJECT, doorbell(), RingDoorbell, timeout_seconds=1)


async def test_stopped_server_fails_requests_at_once_and_heals_when_it_returns(
    restartable_nats: EmbeddedNats, doorbell: MakeDoorbell
) -> None:
    bus = Bus(restartable_nats.url, name="test")
    serve_echo(bus)
    reconnects: list[bool] = []

    async def note() -> None:
        reconnects.append(bus.is_connected)

    bus.on_reconnected(note)
    async with bus.open():
        await bus.request(SUBJECT, doorbell(1), RingDoorbell, timeout_seconds=2)
        restartable_nats.stop()
        await eventually(lambda: not bus.is_connected)

        began = time.monotonic()
        with pytest.raises(BusUnavailableError):
            await bus.request(SUBJECT, doorbell(1), RingDoorbell, timeout_seconds=30)
        with pytest.raises(BusUnavailableError):
            await bus.store("vyomo.v1.evt.paper.0", b"{}", message_id="1")
        await bus.publish("vyomo.v1.md.ticks", doorbell(1))
        assert time.monotonic() - began < 1

        restartable_nats.start()
        await eventually(lambda: bool(reconnects), timeout=10)
        answer = await bus.request(SUBJECT, doorbell(2), RingDoorbell, timeout_seconds=2)

    assert answer.account_ids == (2,)
    assert reconnects == [True]


async def test_action_that_fails_on_reconnecting_does_not_keep_the_next_from_running(
    restartable_nats: EmbeddedNats,
) -> None:
    bus = Bus(restartable_nats.url, name="test")
    ran: list[str] = []

    async def fail() -> None:
        ran.append("first")
        raise RuntimeError("declaring failed")

    async def note() -> None:
        ran.append("second")

    bus.on_reconnected(fail)
    bus.on_reconnected(note)
    async with bus.open():
        restartable_nats.stop()
        await eventually(lambda: not bus.is_connected)
        restartable_nats.start()

        await eventually(lambda: ran == ["first", "second"], timeout=10)


async def test_message_for_no_stream_is_not_stored(caller: Bus) -> None:
    with pytest.raises(BusUnavailableError):
        await caller.store("test.nowhere", b"{}", message_id="1")


async def test_hint_that_cannot_be_published_does_not_fail_its_sender(
    nats_url: str, doorbell: MakeDoorbell, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(*_: object, **__: object) -> None:
        raise ConnectionClosedError

    async with Bus(nats_url, name="test").open() as bus:
        # What a connection says that ends between our look at it and its use.
        monkeypatch.setattr(bus.client, "publish", closed)

        await bus.publish(SUBJECT, doorbell(1))


async def test_who_is_too_slow_for_what_comes_is_told(nats_url: str) -> None:
    bus = Bus(nats_url, name="test")
    missed: list[bool] = []

    async def note() -> None:
        missed.append(True)

    bus.on_missed(note)

    @bus.broker.subscriber("test.events", pending_msgs_limit=2, no_reply=True)
    async def on_event(_: str) -> None:
        await asyncio.sleep(0.1)

    async with bus.open():
        for _ in range(20):
            await bus.client.publish("test.events", b"x")

        await eventually(lambda: missed)
