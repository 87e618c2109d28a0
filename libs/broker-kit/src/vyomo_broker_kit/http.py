"""The transport order calls go through: one request, one total time limit, no redirect, no retry, no proxy from the environment.

Clients of brokers retry, follow redirects and have no total limit; each of those can place an order twice or hang for ever.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx

from vyomo_broker_kit.outcomes import NotSent, Unknown

CONNECT_SECONDS: Final = 2.0
KEEP_ALIVE_SECONDS: Final = 4.0
"""Below every broker's own idle limit: a connection the broker is just closing makes a sent order look lost."""
MOST_CONNECTIONS: Final = 32
LARGEST_ANSWER: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer, whatever its status; the adapter decides what it means."""

    status: int
    body: bytes


class OrderTransport:
    """For one broker root and, where the broker binds orders to an address, one local address.

    Urgent calls (cancel, modify, the book) have connections of their own: hung entries must not stand before them.
    """

    def __init__(
        self,
        root_url: str,
        *,
        total_seconds: float,
        local_address: str | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._total_seconds = total_seconds

        def client() -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=root_url,
                transport=httpx.AsyncHTTPTransport(
                    verify=verify,
                    retries=0,
                    trust_env=False,
                    local_address=local_address,
                    limits=httpx.Limits(
                        max_connections=MOST_CONNECTIONS,
                        max_keepalive_connections=MOST_CONNECTIONS,
                        keepalive_expiry=KEEP_ALIVE_SECONDS,
                    ),
                ),
                timeout=httpx.Timeout(total_seconds, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
                # Compressed answers could be small on the wire and huge in memory.
                headers={"Accept-Encoding": "identity"},
                follow_redirects=False,
                trust_env=False,
            )

        self._entries = client()
        self._urgent = client()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._entries.aclose()
        await self._urgent.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        urgent: bool = False,
    ) -> Answer | NotSent | Unknown:
        """Make the request once. Never raises for what the network or the broker does."""
        client = self._urgent if urgent else self._entries
        try:
            async with (
                asyncio.timeout(self._total_seconds),
                client.stream(method, path, json=json, data=form, headers=headers) as response,
            ):
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER:
                        return Unknown(f"an answer of more than {LARGEST_ANSWER} bytes")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return NotSent(_name(error))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return Unknown(_name(error))
        return Answer(response.status_code, bytes(body))


def _name(error: Exception) -> str:
    """The kind of error alone: its text may hold a URL with credentials."""
    return type(error).__name__
