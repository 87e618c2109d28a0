import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vyomo_service_kit.notify import Notifier
from vyomo_service_kit.runtime import cancel_and_wait
from vyomo_service_kit.testing import eventually


@pytest.fixture(params=["file", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "file" else f"@vyomo-test-{os.getpid()}"


@pytest.fixture
def supervisor(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        listening.setblocking(False)
        yield listening


@pytest.fixture
def notifier(supervisor: socket.socket, address: str) -> Iterator[Notifier]:
    with closing(Notifier(address)) as opened:
        yield opened


def heard(supervisor: socket.socket) -> bytes:
    try:
        return supervisor.recv(4096)
    except BlockingIOError:
        return b""


def test_each_notice_is_one_datagram(supervisor: socket.socket, notifier: Notifier) -> None:
    notifier.ready()
    notifier.status("4 of 5")
    notifier.stopping()

    assert [heard(supervisor) for _ in range(4)] == [b"READY=1", b"STATUS=4 of 5", b"STOPPING=1", b""]


async def test_heart_beats_from_the_event_loop(supervisor: socket.socket, notifier: Notifier) -> None:
    beating = asyncio.create_task(notifier.heartbeat())

    beat = await eventually(lambda: heard(supervisor))

    await cancel_and_wait(beating)
    assert beat == b"WATCHDOG=1"


def test_supervisor_that_is_gone_or_never_reads_stops_nobody(
    supervisor: socket.socket, notifier: Notifier
) -> None:
    for _ in range(2000):
        notifier.status("full")
    supervisor.close()
    notifier.ready()


def test_without_a_supervisor_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    Notifier.from_environment().ready()
