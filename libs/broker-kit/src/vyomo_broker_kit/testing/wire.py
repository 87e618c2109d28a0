"""HTTP by hand, as far as a scripted broker needs it: the interesting answers are those a web framework would not give."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

LARGEST_REQUEST: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: dict[str, Any]

    @property
    def parts(self) -> list[str]:
        return self.path.strip("/").split("/")


async def read_request(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    request, *headers = head.decode("latin-1").split("\r\n")
    method, path, _ = request.split(" ", 2)
    lengths = [line.split(":", 1)[1] for line in headers if line.lower().startswith("content-length:")]
    length = min(int(lengths[0]), LARGEST_REQUEST) if lengths else 0
    body = await reader.readexactly(length) if length else b""
    return Request(method, path, json.loads(body) if body else {})


def response(status: int, content: Any) -> bytes:
    return raw_response(status, json.dumps(content).encode(), "application/json")


def error(status: int, code: str, text: str) -> bytes:
    return response(status, {"error": code, "message": text})


def raw_response(status: int, body: bytes, content_type: str) -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def is_whole(answer: bytes) -> bool:
    """True when the connection can be used for another request after this answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}".encode() in head
