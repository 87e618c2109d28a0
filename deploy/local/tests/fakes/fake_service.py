"""A service in a few lines: sd_notify, and misbehaviour on request by a file in its current folder."""

import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn


def notify(text: str) -> None:
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)


def wait_while_slow(name: str) -> None:
    while Path(f"{name}.slow").exists():
        time.sleep(0.05)


def run(name: str) -> NoReturn:
    if Path(f"{name}.broken").exists():
        sys.exit("configured to fail")

    def stop(*_: object) -> None:
        if Path(f"{name}.stubborn").exists():
            return
        notify("STOPPING=1")
        with Path("stops").open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    wait_while_slow(name)
    sys.stdout.write(f'{{"event": "service.ready", "level": "info", "service": "{name}"}}\n')
    sys.stdout.flush()
    notify("READY=1\nSTATUS=serving")
    while True:
        if not Path(f"{name}.frozen").exists():
            notify("WATCHDOG=1")
        time.sleep(0.2)
