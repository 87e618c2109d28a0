"""One WebSocket client: what it watches, what waits to be sent to it, and when it is too slow."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from starlette.websockets import WebSocket

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.portfolio import Position
from vyomo_gateway.edge.encoding import View, encode_json
from vyomo_gateway.events.messages import PriceMessage
from vyomo_gateway.identity.callers import Caller

SEND_QUEUE_LIMIT: Final = 2_000
"""Order, position and margin messages that may wait; they are never dropped, so a client behind by more is let go."""
TRY_AGAIN_LATER: Final = 1013
SERVICE_RESTART: Final = 1012
POLICY_VIOLATION: Final = 1008

_PositionKey = tuple[int, str, str, str]


class ClientSession:
    def __init__(self, socket: WebSocket, caller: Caller, authorization: str) -> None:
        self.caller = caller
        self.authorization = authorization
        """Kept to see whether the key is still valid, for as long as the client is connected."""
        self._socket = socket
        self._messages: deque[bytes] = deque()
        self._prices: dict[str, msgspec.Raw] = {}
        self._something = asyncio.Event()
        self._closed = asyncio.Event()
        self._close_code: int | None = None
        self._subscribed: set[str] = set()
        self._open_positions: dict[_PositionKey, str] = {}

    @property
    def close_code(self) -> int | None:
        """Why this side wants to end it; None while it does not."""
        return self._close_code

    @property
    def watched(self) -> set[str]:
        """What it subscribed to, and the instruments of open positions."""
        return self._subscribed.union(self._open_positions.values())

    @property
    def subscribed(self) -> list[str]:
        return sorted(self._subscribed)

    def subscribe(self, keys: Iterable[str]) -> None:
        self._subscribed.update(keys)

    def unsubscribe(self, keys: Iterable[str]) -> None:
        self._subscribed.difference_update(keys)

    def note_position(self, position: Position) -> None:
        key = (position.account_id, position.exchange, position.symbol, position.product)
        if position.quantity:
            self._open_positions[key] = instrument_key(position.exchange, position.symbol)
        else:
            self._open_positions.pop(key, None)

    def offer(self, message: bytes) -> None:
        """Queue a message that must arrive."""
        if len(self._messages) >= SEND_QUEUE_LIMIT:
            self.close(TRY_AGAIN_LATER)
            return
        self._messages.append(message)
        self._something.set()

    def offer_message(self, message: View) -> None:
        self.offer(encode_json(message))

    def offer_prices(self, prices: Mapping[str, msgspec.Raw]) -> None:
        """Keep the newest price of each watched instrument until the client takes it; older ones are replaced."""
        watched = self.watched
        wanted = watched.intersection(prices) if len(watched) > len(prices) else watched & prices.keys()
        if wanted:
            self._prices.update((key, prices[key]) for key in wanted)
            self._something.set()

    def close(self, code: int) -> None:
        """End the session, at once: what it is doing is given up, also a send that a slow client blocks."""
        self._close_code = self._close_code or code
        self._closed.set()

    async def until_closed(self) -> None:
        await self._closed.wait()

    async def send_now(self, message: View) -> None:
        await self._send(encode_json(message))

    async def send_queued(self) -> None:
        """Send what is offered, in its order, prices last, for as long as the session lasts."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._messages:
                await self._send(self._messages.popleft())
            if self._prices:
                prices, self._prices = self._prices, {}
                await self._send(encode_json(PriceMessage(prices=list(prices.values()))))

    async def _send(self, message: bytes) -> None:
        await self._socket.send({"type": "websocket.send", "text": message.decode()})
