"""The supervisor's end of the sd_notify protocol: one datagram socket for each service."""

import secrets
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("iII")
_MAX_BYTES = 4096
_MAX_MESSAGES = 64


@dataclass(frozen=True, slots=True)
class Notification:
    ready: bool
    stopping: bool
    alive: bool
    status: str | None
    brokers: tuple[str, ...]
    """Those whose workers are needed."""

    @classmethod
    def parse(cls, text: str) -> "Notification":
        pairs = (line.partition("=") for line in text.splitlines())
        fields = {name: value for name, separator, value in pairs if separator}
        return cls(
            ready=fields.get("READY") == "1",
            stopping=fields.get("STOPPING") == "1",
            alive=fields.get("WATCHDOG") == "1",
            status=fields.get("STATUS"),
            brokers=tuple(name for name in fields.get("X_VYOMO_BROKERS", "").split(",") if name),
        )


class NotificationSocket:
    """Receives what one service says about itself.

    The address is in Linux's abstract namespace: no path, so neither a length limit nor a file to clean up. Any local
    user may send to it, so the kernel's word on the sender's pid decides, not the datagram's.
    """

    def __init__(self, name: str) -> None:
        if sys.platform != "linux":
            raise OSError("the supervisor needs Linux: abstract sockets and SO_PASSCRED")
        self.address = f"@vyomo-{name}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{self.address[1:]}")

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self, sender: int | None) -> Iterator[Notification]:
        """Everything waiting that really came from process `sender`."""
        for _ in range(_MAX_MESSAGES):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_MAX_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                return
            if _sender_of(ancillary) == sender:
                yield Notification.parse(data.decode("utf-8", "replace"))

    def close(self) -> None:
        self._socket.close()


def _sender_of(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            pid, _, _ = _CREDENTIALS.unpack_from(data)
            return int(pid)
    return None
