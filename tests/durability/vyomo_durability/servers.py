"""Stopping a server as a power cut does: all of its processes at once, and none of them ever runs again."""

import contextlib
import os
import signal

import psutil

from vyomo_service_kit.embedded import EmbeddedServer


class Freezer:
    """Finds a server's processes beforehand, so that they stop at the moment that was meant."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._known = _processes(server)

    def freeze(self) -> None:
        """Not one of them runs when this returns, so nothing is acknowledged any more."""
        stopped: set[int] = set()
        running = self._known
        while running:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGSTOP)
                stopped.add(process.pid)
            running = [process for process in _processes(self._server) if process.pid not in stopped]


def destroy(server: EmbeddedServer) -> None:
    """Its processes end without another instruction."""
    processes = _processes(server)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
    server.stop()


def _processes(server: EmbeddedServer) -> list[psutil.Process]:
    assert server.process is not None
    try:
        main = psutil.Process(server.process.pid)
        return [main, *main.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
