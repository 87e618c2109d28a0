"""Keeps log files below a size without asking their writers to reopen them."""

import contextlib
import os
import shutil
from pathlib import Path

MAX_BYTES = 10 * 1024**2
KEPT = 3


def rotate_large_logs(folder: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> list[Path]:
    """Copy each log that grew too large to `<name>.1` and truncate it; returns the rotated ones.

    The writers hold their files open in append mode, so they go on at the new end. Lines written between copy and
    truncation are lost: logs are for reading, the record of orders is in the database.
    """
    rotated: list[Path] = []
    for path in folder.glob("*.log"):
        with contextlib.suppress(
            OSError
        ):  # gone meanwhile, or no room for the copy: the next round tries again
            if path.stat().st_size > max_bytes:
                _rotate(path, kept)
                rotated.append(path)
    return rotated


def _rotate(path: Path, kept: int) -> None:
    copy = path.with_name(f"{path.name}.new")
    try:
        with (
            path.open("rb") as source,
            os.fdopen(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target,
        ):
            shutil.copyfileobj(source, target, 1024**2)
    except OSError:
        copy.unlink(missing_ok=True)
        raise
    for number in range(kept - 1, 0, -1):
        older = numbered(path, number)
        if older.exists():
            older.replace(numbered(path, number + 1))
    copy.replace(numbered(path, 1))
    os.truncate(path, 0)


def numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
