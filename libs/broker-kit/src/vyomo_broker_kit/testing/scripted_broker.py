"""A broker over real HTTP whose behaviour is scripted: accept, refuse, delay, fill in parts, drop the answer.

Not a broker's protocol, only its shape: place, modify, cancel and the order book. It is a raw server because the interesting
answers are the ones a web framework would not give: none at all, or half of one.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

_LARGEST_REQUEST: Final = 64 * 1024
MARKET_PRICE: Final = "100"

Placing = Literal[
    "accept",
    "refuse",
    "drop_before",
    "drop_after",
    "server_error",
    "html",
    "redirect",
    "truncate",
    "empty_id",
    "timed_out_text",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What happens to one place call.

    `drop_before` closes the connection without an order, `drop_after` makes the order and closes it; `server_error`, `html` and
    `redirect` (to the same place) make none; `truncate` makes one and sends half an answer, `empty_id` one and forgets its id,
    `timed_out_text` answers 400 though the order was made.
    """

    placing: Placing = "accept"
    delay_seconds: float = 0.0
    fills: tuple[int, ...] | None = None
    """Quantities that fill one per reading of the book; None fills all at once; empty leaves the order open."""


@dataclass(slots=True)
class PlacedOrder:
    order_id: str
    body: dict[str, Any]
    pending_fills: deque[int]
    filled: int = 0
    status: str = "OPEN"

    @property
    def quantity(self) -> int:
        return int(self.body["quantity"])

    @property
    def fill_price(self) -> str:
        """Its own price; a market order has none and gets one."""
        price: str = self.body["price"]
        return MARKET_PRICE if Decimal(price) == 0 else price

    def fill_next(self) -> None:
        if self.status == "OPEN" and self.pending_fills:
            self.filled = min(self.quantity, self.filled + self.pending_fills.popleft())
            if self.filled == self.quantity:
                self.status = "COMPLETE"

    def as_row(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "tag": self.body["tag"],
            "status": self.status,
            "quantity": self.quantity,
            "filled_quantity": self.filled,
            "average_price": self.fill_price if self.filled else "0",
            "price": self.body["price"],
            "trigger_price": self.body.get("trigger_price"),
        }


@dataclass
class ScriptedBroker:
    default: Behaviour = field(default_factory=Behaviour)
    """For calls the script does not cover."""
    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(method, tag or order id) of every place, modify and cancel request that arrived, in order of arrival."""
    orders: dict[str, PlacedOrder] = field(default_factory=dict[str, PlacedOrder])
    refuse_cancels: bool = False
    cancel_delay_seconds: float = 0.0
    port: int = 0
    _script: deque[Behaviour] = field(default_factory=deque[Behaviour])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def script(self, *behaviours: Behaviour) -> None:
        """What happens to the next place calls, in order of arrival."""
        self._script.extend(behaviours)

    def orders_with_tag(self, tag: str) -> list[PlacedOrder]:
        return [order for order in self.orders.values() if order.body["tag"] == tag]

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator["ScriptedBroker"]:
        server = await asyncio.start_server(self._converse, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, length = _parse(head)
                body = await reader.readexactly(min(length, _LARGEST_REQUEST)) if length else b""
                answer = await self._answer(method, path, json.loads(body) if body else {})
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if not _is_whole(answer):
                    break
        writer.close()

    async def _answer(self, method: str, path: str, body: dict[str, Any]) -> bytes | None:
        if method == "GET":
            for order in self.orders.values():
                order.fill_next()
            return _response(200, {"orders": [order.as_row() for order in self.orders.values()]})
        if method == "POST":
            self.calls.append(("POST", body["tag"]))
            return await self._place(body)
        order = self.orders.get(path.rsplit("/", 1)[-1])
        self.calls.append((method, order.order_id if order else path))
        if order is None or order.status != "OPEN" or (method == "DELETE" and self.refuse_cancels):
            return _response(400, {"error": "OrderNotOpen", "message": "the order is not open"})
        if method == "DELETE":
            await asyncio.sleep(self.cancel_delay_seconds)
            order.status = "CANCELLED"
        else:
            order.body |= body
        return _response(200, {"order_id": order.order_id})

    async def _place(self, body: dict[str, Any]) -> bytes | None:
        behaviour = self._script.popleft() if self._script else self.default
        if behaviour.delay_seconds:
            await asyncio.sleep(behaviour.delay_seconds)
        if behaviour.placing in _ANSWERS_WITHOUT_ORDER:
            return _ANSWERS_WITHOUT_ORDER[behaviour.placing]
        order = self._make(body, behaviour)
        done = _response(200, {"order_id": order.order_id})
        answers = {
            "accept": done,
            "truncate": done[:-6],
            "empty_id": _response(200, {"order_id": ""}),
            "drop_after": None,
            "timed_out_text": _TIMED_OUT,
        }
        return answers[behaviour.placing]

    def _make(self, body: dict[str, Any], behaviour: Behaviour) -> PlacedOrder:
        fills = (int(body["quantity"]),) if behaviour.fills is None else behaviour.fills
        order = PlacedOrder(f"B{len(self.orders) + 1:09d}", body, deque(fills))
        self.orders[order.order_id] = order
        return order


def _parse(head: bytes) -> tuple[str, str, int]:
    request, *headers = head.decode("latin-1").split("\r\n")
    method, path, _ = request.split(" ", 2)
    lengths = [line.split(":", 1)[1] for line in headers if line.lower().startswith("content-length:")]
    return method, path, int(lengths[0]) if lengths else 0


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}".encode() in head


def _response(status: int, content: dict[str, Any]) -> bytes:
    return _raw(status, json.dumps(content).encode(), "application/json")


def _raw(status: int, body: bytes, content_type: str) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        + body
    )


_ANSWERS_WITHOUT_ORDER: Final[dict[Placing, bytes | None]] = {
    "refuse": _response(400, {"error": "InputException", "message": "the price is out of range"}),
    "drop_before": None,
    "server_error": _response(500, {"error": "GeneralException", "message": "try later"}),
    "html": _raw(502, b"<html><body>Bad gateway</body></html>", "text/html"),
    "redirect": b"HTTP/1.1 307 X\r\nlocation: /orders\r\ncontent-length: 0\r\n\r\n",
}
# Brokers really do this: an error, and the order in the book some seconds later.
_TIMED_OUT: Final = _response(
    400, {"error": "OrderException", "message": "Order request timed out. Check the order book."}
)
