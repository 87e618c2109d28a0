"""Anchors: what the chain was at a moment, kept in a file outside the database that is only ever added to.

Whoever rewrites the events and makes a fitting chain for them must also rewrite this file, and every log that repeats it.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from vyomo_ledger.auditing.chain import Anchor


class AnchorsUnreadableError(Exception):
    """The file is there and is not what was written to it."""


class AnchorFile:
    """One JSON object a line: `{"at": ..., "seal": number, "events": count so far, "hash": hex}`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[int, Anchor]:
        """By seal number; the first of several, for only the first was there before anything could follow.

        Raises:
            AnchorsUnreadableError: a line cannot be read. A last one without its end does not count: its writer died.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise AnchorsUnreadableError(f"{self.path}: {error}") from error
        anchors: dict[int, Anchor] = {}
        for place, line in enumerate(lines, start=1):
            try:
                anchor = _anchor(cast("Mapping[str, Any]", json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise AnchorsUnreadableError(
                    f"{self.path}: line {place} cannot be read ({type(error).__name__})"
                ) from error
            anchors.setdefault(anchor.number, anchor)
        return anchors

    def add(self, anchor: Anchor) -> None:
        """On disk when this returns."""
        line = json.dumps(
            {
                "at": anchor.at.isoformat(),
                "seal": anchor.number,
                "events": anchor.total,
                "hash": anchor.hash.hex(),
            }
        )
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # Begun anew where the last line lacks its end.
            start = "" if _ends_well(self.path) else "\n"
            os.write(descriptor, f"{start}{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _anchor(line: Mapping[str, Any]) -> Anchor:
    return Anchor(
        number=int(line["seal"]),
        total=int(line["events"]),
        hash=bytes.fromhex(line["hash"]),
        at=datetime.fromisoformat(line["at"]),
    )


def _ends_well(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return True
        file.seek(size - 1)
        return file.read() == b"\n"
