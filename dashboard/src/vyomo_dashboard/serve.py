"""Serves the page, and builds it first where it must be: the API does not wait for that, and is not hurt when it fails."""

import asyncio
import html
import mimetypes
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vyomo_dashboard import build

ROUTES: Final = frozenset({"/audit", "/broker-management", "/market", "/risk", "/settings", "/sign-in"})
"""Addresses of the page itself, where a reload must find it. Anything else is the API's to answer."""
ASSETS: Final = "/assets/"
_SECURITY: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_LAST_LINES: Final = 40


@dataclass
class Builder:
    """A build beside the running API, and what it says."""

    dist: Path = build.DIST
    command: tuple[str, ...] = (sys.executable, "-m", "vyomo_dashboard.build")
    is_current: Callable[[], bool] = build.is_current
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_LINES))
    failed: bool = False
    ready: bool = False
    _began: float = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        building = asyncio.create_task(self._build())
        try:
            yield
        finally:
            building.cancel()
            with suppress(asyncio.CancelledError):
                await building

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    async def _build(self) -> None:
        self._began = time.monotonic()
        if await asyncio.to_thread(self.is_current):
            self.ready = True
            return
        self.lines.append("starting")
        process = await asyncio.create_subprocess_exec(
            *self.command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                self.lines.append(line.decode(errors="replace").rstrip())
            self.failed = await process.wait() != 0
            self.ready = not self.failed
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class Pages:
    """The page in front of the API: its own addresses and files; everything else goes through."""

    def __init__(self, app: ASGIApp, builder: Builder) -> None:
        self._app = app
        self._builder = builder
        self._files: dict[str, tuple[bytes, str, bool]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            response = self._response(scope)
            if response is not None:
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _response(self, scope: Scope) -> Response | None:
        path: str = scope["path"]
        if path == "/":
            return RedirectResponse("/broker-management", headers=_SECURITY)
        if path in ROUTES:
            return self._file(scope, "index.html") if self._builder.ready else self._status()
        if path.startswith(ASSETS) and self._builder.ready:
            return self._file(scope, path.removeprefix("/"))
        return None

    def _file(self, scope: Scope, name: str) -> Response | None:
        """One of the built files; None for what was not built, also for paths that lead elsewhere."""
        if not self._files:
            self._files = _read(self._builder.dist)
        packed = any(header == b"accept-encoding" and b"gzip" in value for header, value in scope["headers"])
        found = self._files.get(f"{name}.gz") if packed else None
        content, media_type, _ = found or self._files.get(name) or (b"", "", False)
        if not media_type:
            return None
        headers = dict(_SECURITY)
        headers["Cache-Control"] = (
            "no-cache" if name == "index.html" else "public, max-age=31536000, immutable"
        )
        headers["Vary"] = "Accept-Encoding"
        if found is not None:
            headers["Content-Encoding"] = "gzip"
        return Response(content, media_type=media_type, headers=headers)

    def _status(self) -> HTMLResponse:
        """While the page is being built, or why it could not be."""
        lines = html.escape("\n".join(self._builder.lines))
        if self._builder.failed:
            title, more, status = (
                "The dashboard could not be built",
                (
                    "<p>The API, the bus and the kill switch run all the same. Try again with "
                    "<code>.vyomo/venv/bin/python -m vyomo_dashboard.build</code>, then restart.</p>"
                ),
                500,
            )
        else:
            title, status = "Preparing the dashboard…", 503
            more = f"<p>{self._builder.seconds:.0f} seconds; a first start takes about half a minute.</p>"
        reload = "" if self._builder.failed else '<meta http-equiv="refresh" content="1">'
        content = (
            f'<!doctype html><html lang="en"><meta charset="utf-8">{reload}<title>{title}</title>'
            f"<h1>{title}</h1>{more}<pre>{lines}</pre></html>"
        )
        return HTMLResponse(content, status, {**_SECURITY, "Cache-Control": "no-store", "Retry-After": "1"})


def _read(dist: Path) -> dict[str, tuple[bytes, str, bool]]:
    """Every built file by its name: half a megabyte, and no path of a request ever reaches the file system."""
    files: dict[str, tuple[bytes, str, bool]] = {}
    for path in dist.rglob("*"):
        if path.is_file() and path.name != build.STAMP:
            is_packed = path.suffix == ".gz"
            plain = path.with_suffix("") if is_packed else path
            media_type = mimetypes.guess_type(plain.name)[0] or "application/octet-stream"
            files[str(path.relative_to(dist))] = (path.read_bytes(), media_type, is_packed)
    return files
