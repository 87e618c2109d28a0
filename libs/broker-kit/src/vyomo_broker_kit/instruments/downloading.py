"""A master is downloaded into a file without a name before anything reads it: a download that breaks off has changed nothing, and no process
holds it in memory.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Final

import httpx

LARGEST_MASTER: Final = 256 * 1024 * 1024
DOWNLOAD_SECONDS: Final = 120.0
_CONNECT_SECONDS: Final = 10.0


class NoMasterError(Exception):
    """The broker gave none: the text says why, for a log."""


@asynccontextmanager
async def downloaded(url: str, headers: Mapping[str, str]) -> AsyncGenerator[IO[bytes]]:
    """The whole document, at its beginning.

    Raises:
        NoMasterError: unreachable, refused, broken off, too large or too slow.
    """
    with tempfile.TemporaryFile() as file:
        try:
            async with asyncio.timeout(DOWNLOAD_SECONDS):
                await _download(url, headers, file)
        except TimeoutError:
            raise NoMasterError(f"not complete after {DOWNLOAD_SECONDS:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise NoMasterError(type(error).__name__) from None
        file.seek(0)
        yield file


async def _download(url: str, headers: Mapping[str, str], file: IO[bytes]) -> None:
    timeout = httpx.Timeout(DOWNLOAD_SECONDS, connect=_CONNECT_SECONDS)
    async with (
        httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        if response.status_code != 200:
            raise NoMasterError(f"status {response.status_code}")
        if not {"content-length", "transfer-encoding"} & set(response.headers):
            # Its end is where the connection ends: a broken one would look whole.
            raise NoMasterError("an answer that does not say where it ends")
        size = 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > LARGEST_MASTER:
                raise NoMasterError(f"more than {LARGEST_MASTER} bytes")
            file.write(part)
