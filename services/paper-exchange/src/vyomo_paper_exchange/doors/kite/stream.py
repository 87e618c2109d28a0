"""The WebSocket: prices as binary frames, orders as text, one heartbeat a second.

A client that reads too slowly gets the newest price of each instrument, not all of them; one that does not read orders is let go.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, cast

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from vyomo_paper_exchange.doors.kite import rows
from vyomo_paper_exchange.doors.kite.access import Caller
from vyomo_paper_exchange.doors.kite.calls import KiteDoor
from vyomo_paper_exchange.doors.kite.envelope import KiteError, TokenError, decode, encode
from vyomo_paper_exchange.doors.kite.frames import (
    HEARTBEAT,
    PACKETS_MAX,
    Mode,
    frame,
    instrument_token,
    packet,
)
from vyomo_paper_exchange.doors.orders import DoorOrder, Step
from vyomo_paper_exchange.doors.prices import Priced
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait

log = structlog.get_logger()

CONNECTIONS_MAX: Final = 3
"""Of one API key; one more ends the oldest."""
INSTRUMENTS_MAX: Final = 3_000
HEARTBEAT_SECONDS: Final = 1.0
_TEXTS_MAX: Final = 2_000
_MODES: Final[tuple[Mode, ...]] = ("ltp", "quote", "full")


class Streams:
    """All sockets of the door."""

    def __init__(self, door: KiteDoor) -> None:
        self._door = door
        self._open: dict[str, list[_Stream]] = defaultdict(list)

    async def serve(self, socket: WebSocket) -> None:
        query = socket.query_params
        try:
            caller = await self._door.access.caller_of(
                query.get("api_key", ""), query.get("access_token", "")
            )
        except (KiteError, UnavailableError):
            await socket.close()  # before it was accepted: 403 at the handshake
            return
        await socket.accept()
        stream = _Stream(self._door, caller, query.get("access_token", ""), socket)
        streams = self._open[caller.api_key]
        streams.append(stream)
        if len(streams) > CONNECTIONS_MAX:
            streams.pop(0).stop()
        try:
            await stream.run()
        finally:
            if stream in streams:
                streams.remove(stream)
            if not streams and self._open.get(caller.api_key) is streams:
                del self._open[caller.api_key]


class _Stream:
    def __init__(self, door: KiteDoor, caller: Caller, token: str, socket: WebSocket) -> None:
        self._door = door
        self._caller = caller
        self._token = token
        self._socket = socket
        self._modes: dict[str, Mode] = {}
        self._tokens: dict[str, int] = {}
        self._keys: dict[int, str] = {}
        self._shown: dict[str, bytes] = {}
        self._pending: dict[str, bytes] = {}
        self._texts: list[str] = []
        self._subscription = door.venue.prices.subscribe(self._show)
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        unlisten = self._door.venue.record.listen(self._order)
        self._texts.append(encode({"type": "message", "data": "connected"}).decode())
        self._wake.set()
        tasks = [
            asyncio.create_task(each)
            for each in (self._send(), self._beat(), self._receive(), self._until_stopped())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is not None and not isinstance(error, WebSocketDisconnect | OSError | RuntimeError):
                    log.error("kite.stream_failed", error=repr(error))
        finally:
            unlisten()
            self._door.venue.prices.unsubscribe(self._subscription)
            await cancel_and_wait(*tasks)
            if self._socket.client_state.name == "CONNECTED":
                # It may just have gone by itself.
                with suppress(RuntimeError, OSError, WebSocketDisconnect):
                    await self._socket.close()

    async def _until_stopped(self) -> None:
        await self._stopped.wait()

    @property
    def _is_muted(self) -> bool:
        until = self._door.faults.muted_until.get(self._caller.account.account_id)
        return until is not None and until > self._door.venue.clock.elapsed()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            if not await self._has_session():
                return
            if not self._is_muted:
                await self._socket.send_bytes(HEARTBEAT)

    async def _has_session(self) -> bool:
        """A socket does not outlive the token it was opened with."""
        try:
            await self._door.access.caller_of(self._caller.api_key, self._token)
        except TokenError:
            return False
        except UnavailableError:
            pass  # nothing is known of it just now
        return True

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._is_muted:
                self._pending.clear()
                self._texts.clear()
                continue
            texts, self._texts = self._texts, []
            for text in texts:
                await self._socket.send_text(text)
            pending, self._pending = self._pending, {}
            packets = list(pending.values())
            for start in range(0, len(packets), PACKETS_MAX):
                await self._socket.send_bytes(frame(packets[start : start + PACKETS_MAX]))

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is not None:
                try:
                    await self._obey(decode(text.encode()))
                except KiteError as error:
                    self._say_error(error.message)
                except UnavailableError:
                    self._say_error("Instruments cannot be looked up now.")

    async def _obey(self, command: object) -> None:
        match command:
            case {"a": "subscribe", "v": list(tokens)}:
                await self._subscribe(_numbers(cast("list[object]", tokens)))
            case {"a": "unsubscribe", "v": list(tokens)}:
                self._unsubscribe(_numbers(cast("list[object]", tokens)))
            case {"a": "mode", "v": [mode, list(tokens)]} if mode in _MODES:
                await self._set_mode(mode, _numbers(cast("list[object]", tokens)))
            case _:
                self._say_error("Unknown command.")

    async def _subscribe(self, tokens: Sequence[int], mode: Mode = "quote") -> None:
        new = [token for token in tokens if token not in self._keys]
        if len(self._keys) + len(set(new)) > INSTRUMENTS_MAX:
            self._say_error(f"At most {INSTRUMENTS_MAX} instruments can be subscribed to on a connection.")
            return
        found = await self._door.venue.instruments.keys(token >> 8 for token in new)
        listings = await self._door.venue.prices.listings(found.values())
        added: list[str] = []
        for token in new:
            key = found.get(token >> 8)
            listing = listings.get(key) if key is not None else None
            if key is None or listing is None or instrument_token(token >> 8, listing.instrument) != token:
                continue
            self._keys[token], self._tokens[key], self._modes[key] = key, token, mode
            added.append(key)
        self._subscription.keys.update(added)
        self._show(list((await self._door.venue.prices.now(added)).items()))

    def _unsubscribe(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            key = self._keys.pop(token, None)
            if key is not None:
                self._subscription.keys.discard(key)
                for kept in (self._tokens, self._modes, self._shown, self._pending):
                    kept.pop(key, None)

    async def _set_mode(self, mode: Mode, tokens: Sequence[int]) -> None:
        known = [self._keys[token] for token in tokens if token in self._keys]
        for key in known:
            self._modes[key] = mode
        self._show(list((await self._door.venue.prices.now(known)).items()))

    def _show(self, shown: Sequence[tuple[str, Priced]]) -> None:
        """Only what is other than before is sent."""
        for key, priced in shown:
            token = self._tokens.get(key)
            if token is None:
                continue
            encoded = packet(token, priced, self._modes[key])
            if self._shown.get(key) != encoded:
                self._shown[key] = self._pending[key] = encoded
        if self._pending:
            self._wake.set()

    def _order(self, order: DoorOrder, step: Step) -> None:
        if order.filing.account_id != self._caller.account.account_id:
            return
        if len(self._texts) >= _TEXTS_MAX:
            self.stop()
            return
        token = self._tokens.get(order.working.key, 0)
        row = rows.order_row(order, token, self._caller)
        told = rows.update_row(order, step, row, self._caller)
        self._texts.append(encode({"type": "order", "id": "", "data": told}).decode())
        self._wake.set()

    def _say_error(self, message: str) -> None:
        if len(self._texts) < _TEXTS_MAX:
            self._texts.append(encode({"type": "error", "data": message}).decode())
        self._wake.set()


def _numbers(values: Sequence[Any]) -> list[int]:
    return [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0]
