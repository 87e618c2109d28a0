"""Where a run keeps its system's data."""

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def own_folder(prefix: str, parent: Path | None, *, keep: bool) -> AsyncGenerator[Path]:
    """A folder of the run's own, on the disk that the state folder is on: a RAM disk would flatter every figure."""
    default = Path(os.environ.get("VYOMO_STATE") or Path(__file__).resolve().parents[3] / ".vyomo")
    chosen = parent or default
    chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=chosen))
    try:
        yield folder
    finally:
        if keep:
            sys.stderr.write(f"kept: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
