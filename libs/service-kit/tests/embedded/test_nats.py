import asyncio
import os
import signal
import socket
import stat
from collections.abc import Collection
from pathlib import Path

import nats
import pytest
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from vyomo_service_kit.embedded import AlreadyRunningError, EmbeddedNats
from vyomo_service_kit.embedded.ports import LOOPBACK, choose_port, is_port_free
from vyomo_service_kit.embedded.processes import ProcessRecord, wait_until


def test_folder_with_a_space_serves_durably_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody there
    server = EmbeddedNats(tmp_path / "a folder" / "nats")

    with server:
        page = server.monitor("varz")
        process = server.process

    assert page["jetstream"]["config"]["sync_always"] is True
    assert page["jetstream"]["config"]["max_storage"] <= 2 * 1024**3
    assert page["host"] == LOOPBACK
    assert process is not None
    assert process.returncode is not None


async def test_acknowledged_messages_survive_a_kill(tmp_path: Path) -> None:
    with EmbeddedNats(tmp_path) as server:
        assert server.process is not None
        client = await nats.connect(server.url, allow_reconnect=False)
        await client.jetstream().add_stream(StreamConfig(name="KEPT", subjects=["kept"]))
        for number in range(20):
            await client.jetstream().publish("kept", str(number).encode())
        server.process.kill()
        server.process.wait()
        await client.close()

        server.launch()
        server.wait_ready()
        client = await nats.connect(server.url)
        information = await client.jetstream().stream_info("KEPT")
        await client.close()

    assert information.state.messages == 20


def test_port_that_another_server_took_in_between_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedNats(tmp_path / "first") as first:
        taken = [first.port]

        def choose(preferred: int, *, avoid: Collection[int] = ()) -> int:
            """As if it had been free when it was looked at."""
            return taken.pop() if taken else choose_port(preferred, avoid=avoid)

        monkeypatch.setattr("vyomo_service_kit.embedded.nats.choose_port", choose)
        with EmbeddedNats(tmp_path / "second") as second:
            assert taken == []
            assert second.port != first.port
            assert second.monitor("varz")["port"] == second.port


def test_client_without_the_password_is_refused(tmp_path: Path) -> None:
    with EmbeddedNats(tmp_path) as server:
        with socket.create_connection((LOOPBACK, server.port), timeout=5) as stranger:
            stranger.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
            answer = b"".join(iter(lambda: stranger.recv(4096), b""))

        assert b"Authorization Violation" in answer
        for name in ("password", "subscriber-password", "nats.conf"):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


async def test_subscriber_hears_events_and_can_do_nothing_else(nats_server: EmbeddedNats) -> None:
    refused: list[str] = []
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def on_error(error: Exception) -> None:
        refused.append(str(error))

    async def on_message(message: Msg) -> None:
        await heard.put(message.data)

    services = await nats.connect(nats_server.url)
    commands = await services.subscribe("vyomo.v1.cmd.>")
    subscriber = await nats.connect(nats_server.events_url, error_cb=on_error)
    await subscriber.subscribe("vyomo.v1.evt.>", cb=on_message)
    for subject in ("vyomo.v1.cmd.>", "_INBOX.>", "$JS.API.>", ">"):
        await subscriber.subscribe(subject, cb=on_message)
    for subject in ("vyomo.v1.cmd.order.place", "vyomo.v1.evt.paper.0", "$JS.API.STREAM.NAMES"):
        await subscriber.publish(subject, b"forged")
    for client in (services, subscriber, services, subscriber):  # twice: see `Bus.until_subscribed`
        await client.flush()

    for subject in ("vyomo.v1.cmd.order.place", "_INBOX.anybody.1", "vyomo.v1.evt.paper.0"):
        await services.publish(subject, subject.encode())

    assert await asyncio.wait_for(heard.get(), 5) == b"vyomo.v1.evt.paper.0"
    assert heard.empty()
    assert (await commands.next_msg(5)).data == b"vyomo.v1.cmd.order.place"
    assert [text.lower().count("permissions violation for publish") for text in refused].count(1) == 3
    assert [text.lower().count("permissions violation for subscription") for text in refused].count(1) == 4
    await subscriber.close()
    await services.close()


def test_taken_port_is_replaced(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]

        with EmbeddedNats(tmp_path, preferred_port=port) as server:
            assert server.port not in {0, port}


def test_address_of_another_machine_is_not_called_taken() -> None:
    with pytest.raises(OSError, match="assign"):
        is_port_free(3011, "192.0.2.1")


def test_second_owner_of_a_folder_is_refused(tmp_path: Path) -> None:
    with EmbeddedNats(tmp_path) as first:
        assert first.process is not None

        with pytest.raises(AlreadyRunningError) as caught:
            EmbeddedNats(tmp_path).start()

        assert caught.value.pid == first.process.pid
        assert first.is_running


def test_server_dies_with_its_owner_and_the_next_start_recovers(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    owner = os.fork()
    if owner == 0:
        try:
            server = EmbeddedNats(tmp_path)
            server.start()
            assert server.process is not None
            os.write(writer, str(server.process.pid).encode())
            signal.pause()
        finally:
            os._exit(1)
    orphan = ProcessRecord.of(int(os.read(reader, 20)))
    assert orphan is not None

    os.kill(owner, signal.SIGKILL)
    os.waitpid(owner, 0)

    assert wait_until(lambda: not orphan.is_alive(), timeout_seconds=5)
    with EmbeddedNats(tmp_path) as server:
        assert server.is_running
