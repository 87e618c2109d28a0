"""What both sockets of the door have in common: who is let in, how long a socket lives, and that a text `ping` is answered with `pong`.

Control pings are answered by the server itself.
"""

import asyncio
import hmac
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from vyomo_paper_exchange.doors.smartapi.access import Caller
from vyomo_paper_exchange.doors.smartapi.calls import SmartDoor
from vyomo_paper_exchange.doors.smartapi.envelope import GatewayError, SmartError
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait

log = structlog.get_logger()

CONNECTIONS_MAX: Final = 3
"""Of one client code and kind of socket; one more ends the oldest."""
_LOOK_SECONDS: Final = 1.0
_PONGS_MAX: Final = 100

Identify = Callable[[], Awaitable[Caller]]
"""Whose session it is now. Raises SmartError once it is over."""


class Line(ABC):
    """One open socket."""

    def __init__(self, door: SmartDoor, caller: Caller, identify: Identify, socket: WebSocket) -> None:
        self.door = door
        self.caller = caller
        self._identify = identify
        self._socket = socket
        self._pongs = 0
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()

    @abstractmethod
    async def obey(self, text: str) -> None:
        """Do what the client says."""

    @abstractmethod
    async def messages(self) -> Sequence[str | bytes]:
        """What there is to send now."""

    @abstractmethod
    def discard(self) -> None:
        """Forget what there is to send."""

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        tasks = [
            asyncio.create_task(each)
            for each in (self._send(), self._receive(), self._until_over(), self._until_stopped())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                expected = (WebSocketDisconnect, OSError, RuntimeError, UnavailableError)
                if error is not None and not isinstance(error, expected):
                    log.error("smartapi.socket_failed", error=repr(error))
        finally:
            await cancel_and_wait(*tasks)
            if self._socket.client_state.name == "CONNECTED":
                # It may just have gone by itself.
                with suppress(RuntimeError, OSError, WebSocketDisconnect):
                    await self._socket.close()

    async def _until_stopped(self) -> None:
        await self._stopped.wait()

    async def _until_over(self) -> None:
        """A socket does not outlive the session it was opened in."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._identify()
            except SmartError:
                return
            except UnavailableError:
                continue  # nothing is known of it just now

    @property
    def _is_muted(self) -> bool:
        until = self.door.faults.muted_until.get(self.caller.account.account_id)
        return until is not None and until > self.door.venue.clock.elapsed()

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            pongs, self._pongs = self._pongs, 0
            if self._is_muted:
                self.discard()
                continue
            for _ in range(pongs):
                await self._socket.send_text("pong")
            for message in await self.messages():
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text == "ping":
                self._pongs = min(self._pongs + 1, _PONGS_MAX)
                self.wake()
            elif text is not None:
                await self.obey(text)


class Lines:
    """The open sockets of one kind."""

    def __init__(self) -> None:
        self._open: dict[int, list[Line]] = defaultdict(list)

    async def hold(self, line: Line) -> None:
        account_id = line.caller.account.account_id
        lines = self._open[account_id]
        lines.append(line)
        if len(lines) > CONNECTIONS_MAX:
            lines.pop(0).stop()
        try:
            await line.run()
        finally:
            if line in lines:
                lines.remove(line)
            if not lines and self._open.get(account_id) is lines:
                del self._open[account_id]


def by_token(door: SmartDoor, socket: WebSocket) -> Identify:
    jwt = _jwt_of(socket)

    async def identify() -> Caller:
        return await door.access.caller_of(jwt)

    return identify


def by_feed_token(door: SmartDoor, socket: WebSocket) -> Identify:
    """Programs say who they are in headers, browsers in the query. All that is said must belong together."""
    headers, query = socket.headers, socket.query_params
    feed_token = headers.get("x-feed-token") or query.get("feedToken", "")
    client_code = headers.get("x-client-code") or query.get("clientCode", "")
    api_key = headers.get("x-api-key") or query.get("apiKey", "")
    jwt = _jwt_of(socket)

    async def identify() -> Caller:
        caller = await door.access.caller_of_feed(feed_token)
        is_same = hmac.compare_digest(caller.api_key.encode(), api_key.encode())
        if not is_same or caller.account.client_id != client_code:
            raise GatewayError("AG8004", "Invalid API Key")
        if jwt and (await door.access.caller_of(jwt)).account != caller.account:
            raise GatewayError("AG8001", "Invalid Token")
        return caller

    return identify


def _jwt_of(socket: WebSocket) -> str:
    """Clients send it with its prefix or without."""
    return socket.headers.get("authorization", "").removeprefix("Bearer ").strip()


async def let_in(socket: WebSocket, identify: Identify) -> Caller | None:
    """The caller of an accepted socket; None after it was turned away with 403."""
    try:
        caller = await identify()
    except (SmartError, UnavailableError):
        await socket.close()  # before it was accepted: 403 at the handshake
        return None
    await socket.accept()
    return caller
