"""Tells the supervisor how a service fares, by the sd_notify protocol (systemd's, and `./vyomo up`'s): one datagram a message."""

import asyncio
import os
import socket
from collections.abc import Iterable

HEARTBEAT_SECONDS = 5.0


class Notifier:
    """Without `NOTIFY_SOCKET` in the environment every call does nothing."""

    def __init__(self, address: str | None) -> None:
        self._address = "\0" + address[1:] if address and address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    @classmethod
    def from_environment(cls) -> "Notifier":
        return cls(os.environ.get("NOTIFY_SOCKET"))

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def brokers(self, names: Iterable[str]) -> None:
        """Those whose workers are needed; a field of our own, which systemd ignores."""
        self._send(f"X_VYOMO_BROKERS={','.join(names)}")

    async def heartbeat(self) -> None:
        """Beats from the event loop itself, so that a blocked loop is seen as one."""
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _send(self, message: str) -> None:
        if self._socket is None or self._address is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            # The supervisor is gone or its queue is full; trading goes on without it.
            return
