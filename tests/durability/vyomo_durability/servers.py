"""Stopping a server as a power cut does: all of its processes at once, and none of them ever runs again."""

import contextlib
import signal

import psutil

from vyomo_service_kit.embedded import EmbeddedServer


def freeze(server: EmbeddedServer) -> None:
    """Not one of its processes runs when this returns, so nothing is acknowledged any more."""
    stopped: set[int] = set()
    while True:
        running = [process for process in _processes(server) if process.pid not in stopped]
        if not running:
            return
        for process in running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGSTOP)
            stopped.add(process.pid)


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
