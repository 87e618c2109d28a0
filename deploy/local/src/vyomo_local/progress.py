"""Start-up steps on the terminal: what is being done, how long it takes, what came out."""

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Generator
from typing import TextIO

_CLEAR_LINE = "\r\x1b[K"


class Progress:
    """One line for each finished step. On a terminal a last line shows what is running and for how long."""

    def __init__(self, stream: TextIO | None = None, *, live: bool | None = None) -> None:
        self._stream = stream or sys.stdout
        self.live = is_terminal(self._stream) if live is None else live
        self._running: dict[str, float] = {}
        self._started_at = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        return time.monotonic() - self._started_at

    @contextlib.contextmanager
    def step(self, name: str) -> Generator[None]:
        started_at = self._running[name] = time.monotonic()
        self.refresh()
        try:
            yield
        except asyncio.CancelledError:
            self._running.pop(name)  # another step failed; this one says nothing
            raise
        except BaseException:
            self._finish(name, "FAIL", started_at)
            raise
        self._finish(name, "ok", started_at)

    def refresh(self) -> None:
        """Redraw the running line; call it now and then while waiting."""
        if self.live and self._running:
            text = f"  ...   {self.elapsed_seconds:5.1f} s  {', '.join(self._running)}"
            # A wrapped line could not be drawn over.
            self._write(f"{_CLEAR_LINE}{text[: shutil.get_terminal_size().columns - 1]}")

    def line(self, text: str = "") -> None:
        self._write(f"{_CLEAR_LINE}{text}\n" if self.live else f"{text}\n")
        self.refresh()

    def _write(self, text: str) -> None:
        # A terminal that went away, or a `| head` that has seen enough, must not end what is being supervised.
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()

    def _finish(self, name: str, word: str, started_at: float) -> None:
        del self._running[name]
        self.line(f"  {word:<5} {name:<34} {time.monotonic() - started_at:6.2f} s")


def is_terminal(stream: TextIO) -> bool:
    """Whether a line can be drawn over."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
