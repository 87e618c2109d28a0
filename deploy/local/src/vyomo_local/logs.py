"""`./vyomo logs`: the logs of one service or of all, in order of arrival, readable."""

import contextlib
import json
import os
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

from vyomo_local.state import StateFolder

_POLL_SECONDS = 0.25
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
_OWN_FIELDS = frozenset({"timestamp", "level", "event", "service", "exception"})
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m", "debug": "\x1b[2m"}


def logs(state: StateFolder, service: str | None, *, follow: bool, lines: int) -> int:
    paths = {path.stem: path for path in sorted(state.logs.glob("*.log"))}
    if service is not None and service not in paths:
        known = ", ".join(paths) or "none yet"
        sys.stderr.write(f"there is no log of {service!r}; there are: {known}\n")
        return 1
    chosen = {service: paths[service]} if service is not None else paths
    width = max((len(name) for name in chosen), default=0)
    colour = sys.stdout.isatty()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        for name, line in _recent(chosen, lines):
            _show(name, line, width, colour=colour)
        sys.stdout.flush()
        if follow:
            for name, line in _follow(chosen):
                _show(name, line, width, colour=colour)
    return 0


def pretty(line: str, *, colour: bool = False) -> str:
    """A JSON log line as a person reads it; any other line as it is."""
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "event" not in entry:
        return line
    fields = cast("dict[str, Any]", entry)
    level = str(fields.get("level", ""))
    values = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _OWN_FIELDS)
    text = f"{str(fields.get('timestamp', ''))[:23]} {level:<8} {fields['event']}"
    if colour and level in _COLOURS:
        text = f"{_COLOURS[level]}{text}\x1b[0m"
    exception = f"\n{fields['exception']}" if "exception" in fields else ""
    return f"{text} {values}".rstrip() + exception


def _show(name: str, line: str, width: int, *, colour: bool) -> None:
    sys.stdout.write(f"{name:<{width}} | {pretty(line, colour=colour)}\n")


def _recent(paths: Mapping[str, Path], count: int) -> list[tuple[str, str]]:
    """The last lines of all logs together, oldest first."""
    entries: list[tuple[str, str, str]] = []
    for name, path in paths.items():
        lines = _last_lines(path, count)
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(" ", "milliseconds")[:23]
        entries += [(time, name, line) for time, line in zip(_times(lines, written), lines, strict=True)]
    entries.sort(key=lambda entry: entry[0])  # stable: lines of one file stay in their order
    return [(name, line) for _, name, line in entries][-count:] if count else []


def _times(lines: Sequence[str], written: str) -> list[str]:
    """When each line was written: a line without a time belongs to the one before it, a log without any to its file's."""
    own = [_time_of(line) for line in lines]
    time = next(filter(None, own), written)
    return [time := each or time for each in own]


def _last_lines(path: Path, count: int) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


def _time_of(line: str) -> str:
    """Time of a line, to the millisecond and in UTC; empty when it has none."""
    text = line
    if line.startswith("{"):
        with contextlib.suppress(ValueError, AttributeError):
            text = str(json.loads(line).get("timestamp", "")).replace("T", " ")
    elif line.startswith("["):  # nats-server: "[pid] 2026/11/22 10:40:00.123456 [INF] ..."
        text = line.partition("] ")[2][:26].replace("/", "-")
    return text[:23] if _TIME.match(text) else ""


def _follow(paths: dict[str, Path]) -> Iterator[tuple[str, str]]:
    with contextlib.ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for name, path in paths.items():
            files[name] = stack.enter_context(path.open(encoding="utf-8", errors="replace"))
            files[name].seek(0, os.SEEK_END)
        while True:
            quiet = True
            for name, file in files.items():
                if file.tell() > os.fstat(file.fileno()).st_size:
                    file.seek(0)  # the log was rotated under us
                for line in iter(file.readline, ""):
                    quiet = False
                    yield name, line.rstrip("\n")
            sys.stdout.flush()
            if quiet:
                time.sleep(_POLL_SECONDS)
