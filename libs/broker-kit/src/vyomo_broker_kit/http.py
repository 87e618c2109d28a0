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

from vyomo_broker_kit.access import Egress
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
    """For one broker root and, where the broker binds orders to an address, one way there.

    Urgent calls (cancel, modify, the book) have connections of their own: hung entries must not stand before them.
    """

    def __init__(
        self,
        root_url: str,
        *,
        total_seconds: float,
        egress: Egress | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._total_seconds = total_seconds
        source = None if egress is None else egress.source_address
        self._way = "" if egress is None else f"from {source}: " if source else "relay: "
        relay = None if egress is None else _relay(egress)

        def client() -> httpx.AsyncClient:
            return httpx.AsyncClient(
                base_url=root_url,
                transport=httpx.AsyncHTTPTransport(
                    verify=verify,
                    retries=0,
                    trust_env=False,
                    local_address=source,
                    proxy=relay,
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
        await self.aclose()

    async def aclose(self) -> None:
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
        """Make the request once, to the broker's own root alone. Never raises for what the network or the broker does."""
        if not path.startswith("/"):
            # A whole URL would leave for its own host, with the account's token.
            return NotSent("a path that leaves the broker's root")
        client = self._urgent if urgent else self._entries
        begun = _Begun()
        try:
            async with (
                asyncio.timeout(self._total_seconds),
                client.stream(
                    method,
                    path,
                    json=json,
                    data=form,
                    headers=headers,
                    extensions={"trace": begun.on_trace},
                ) as response,
            ):
                body = bytearray()
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > LARGEST_ANSWER:
                        return Unknown(f"an answer of more than {LARGEST_ANSWER} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            return Unknown(_name(error)) if begun.is_begun else NotSent(self._way + _name(error))
        return Answer(response.status_code, bytes(body))


def _name(error: Exception) -> str:
    """The kind of error alone, or the status that a relay refused with: the text may hold a URL with credentials."""
    said = str(error).split(" ", 1)[0] if isinstance(error, httpx.ProxyError) else ""
    return said if said.isdigit() else type(error).__name__


class _Begun:
    """Whether a byte of the request itself was given to a connection; what a relay is asked for first is not of it."""

    def __init__(self) -> None:
        self.is_begun = False

    async def on_trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.is_begun = True


def _relay(egress: Egress) -> httpx.Proxy | None:
    if egress.relay is None:
        return None
    password = egress.relay_password
    # The broker's name is looked up by the relay, whose address is the one that is registered.
    url = egress.relay.replace("socks5://", "socks5h://", 1)
    auth = (
        None
        if egress.relay_user is None or password is None
        else (egress.relay_user, password.get_secret_value())
    )
    return httpx.Proxy(url, auth=auth)
