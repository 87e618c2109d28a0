"""Child processes of the bench: modules of this package run apart, told by JSON what to do; none outlives its caller."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import BenchError

_END_SECONDS = 5.0
_FOLDER = Path(__file__).resolve().parents[1]


async def call_module(name: str, plan: object, *, limit_seconds: float) -> Any:
    """Run `python -m vyomo_bench.{name}` with the plan on its standard input and return what it printed."""
    async with _process(name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE) as process:
        try:
            output, _ = await asyncio.wait_for(process.communicate(json.dumps(plan).encode()), limit_seconds)
        except TimeoutError:
            raise BenchError(f"{name} did not end within {limit_seconds:g} s") from None
    if process.returncode:
        raise BenchError(f"{name} ended with exit code {process.returncode}")
    return json.loads(output)


@asynccontextmanager
async def running_module(name: str, *arguments: str) -> AsyncGenerator[int]:
    """Keep `python -m vyomo_bench.{name}` running meanwhile; yields its process id."""
    async with _process(name, *arguments) as process:
        yield process.pid


@asynccontextmanager
async def running_command(*command: str, environment: Mapping[str, str]) -> AsyncGenerator[int]:
    """Keep a program of the system running meanwhile, asked to end at the end; yields its process id."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _END_SECONDS)
        await _end(process)


async def run_command(
    *command: str, limit_seconds: float, apart: bool = False, environment: Mapping[str, str] | None = None
) -> str:
    """Run to the end and return standard output; a failure is raised with all that was said.

    What runs `apart` does not hear the terminal's Ctrl-C.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=apart,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), limit_seconds)
    except TimeoutError:
        raise BenchError(f"{' '.join(command)} did not end within {limit_seconds:g} s") from None
    finally:
        await _end(process)
    if process.returncode:
        said = (output + errors).decode(errors="replace").strip()
        raise BenchError(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said}")
    return output.decode()


@asynccontextmanager
async def _process(
    name: str, *arguments: str, stdin: int | None = None, stdout: int | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"vyomo_bench.{name}", *arguments, stdin=stdin, stdout=stdout, cwd=_FOLDER
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
