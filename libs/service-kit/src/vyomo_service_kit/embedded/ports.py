"""Finding TCP ports that nobody listens on."""

import errno
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"
_ATTEMPTS = 20


def is_port_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nobody listens there.

    Raises:
        OSError: nobody could: a privileged port, or an address that this machine does not have.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier run that linger in TIME_WAIT do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def choose_port(preferred: int, host: str = LOOPBACK, *, avoid: Collection[int] = ()) -> int:
    """The preferred port when it is free (0 means no preference), else one that the kernel picks."""
    if preferred and preferred not in avoid and is_port_free(preferred, host):
        return preferred
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(_ATTEMPTS):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port
    raise OSError(f"no free port on {host}")


def claim_port(preferred: int, host: str = LOOPBACK) -> tuple[int, socket.socket]:
    """A port for a child that opens it later, and a claim on it: as long as that is open, no other call chooses the port.

    The claim is a name in Linux's abstract namespace, which is as wide as that of ports and needs no cleaning up.
    """
    port = choose_port(preferred, host)
    for _ in range(_ATTEMPTS):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0vyomo-port-{port}")
        except OSError:
            claim.close()
            port = choose_port(0, host)
        else:
            return port, claim
    raise OSError(f"no free port on {host}")
