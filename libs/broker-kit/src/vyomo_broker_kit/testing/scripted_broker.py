"""A broker over real HTTP whose behaviour is scripted: it accepts, refuses, delays, fills in parts, drops answers, goes mute.

Not a broker's protocol, only its shape: place, modify, cancel, order book, trades, positions and funds of accounts. A test steers it
as an object; another process steers it and reads the truth through `/admin` (see `admin`).
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from vyomo_broker_kit.testing import admin
from vyomo_broker_kit.testing.behaviour import Answering, Behaviour, FaultMix
from vyomo_broker_kit.testing.venue import PlacedOrder, ScriptedVenue
from vyomo_broker_kit.testing.wire import Request, error, is_whole, raw_response, read_request, response


@dataclass(frozen=True, slots=True)
class Arrival:
    """One place, modify or cancel request as it came in, by the broker's own clock."""

    method: str
    key: str
    """The tag of a place call, the broker's order id of the others."""
    account_id: int
    at: float


@dataclass
class ScriptedBroker:
    default: Behaviour = field(default_factory=Behaviour)
    """For place calls that neither script nor mix covers."""
    mix: FaultMix | None = None
    venue: ScriptedVenue = field(default_factory=ScriptedVenue)
    arrivals: list[Arrival] = field(default_factory=list[Arrival])
    reads: list[tuple[str, int, float]] = field(default_factory=list[tuple[str, int, float]])
    """What was read (`orders`, `trades`, `positions`, `funds`), whose, and when by the broker's own clock."""
    book_lag_seconds: float = 0.0
    """Orders and fills are shown this much later than they happen."""
    failing_reads: dict[str, int] = field(default_factory=dict[str, int])
    """How many of the next readings of `orders`, `trades`, `positions` or `funds` fail."""
    expired_sessions: set[int] = field(default_factory=set[int])
    """Accounts every call of which is answered 403 TokenException."""
    refuse_cancels: bool = False
    cancel_delay_seconds: float = 0.0
    port: int = 0
    _script: deque[Behaviour] = field(default_factory=deque[Behaviour])
    _change_script: deque[Behaviour] = field(default_factory=deque[Behaviour])
    _conversations: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])
    _later: set["asyncio.TimerHandle"] = field(default_factory=set["asyncio.TimerHandle"])
    _speaking: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._speaking.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> list[tuple[str, str]]:
        """(method, tag or order id) of every place, modify and cancel request, in order of arrival."""
        return [(arrival.method, arrival.key) for arrival in self.arrivals]

    @property
    def orders(self) -> dict[str, PlacedOrder]:
        return self.venue.orders

    def orders_with_tag(self, tag: str) -> list[PlacedOrder]:
        return self.venue.orders_with_tag(tag)

    def script(self, *behaviours: Behaviour) -> None:
        """What happens to the next place calls, in order of arrival."""
        self._script.extend(behaviours)

    def script_changes(self, *behaviours: Behaviour) -> None:
        """What happens to the next modify and cancel calls, in order of arrival."""
        self._change_script.extend(behaviours)

    def go_mute(self) -> None:
        """Take connections and requests, answer none. What came in meanwhile is dropped, undone, when it speaks again."""
        self._speaking.clear()

    def speak(self) -> None:
        self._speaking.set()

    def place_elsewhere(
        self, account_id: int, *, fills: Sequence[int] | None = None, **body: Any
    ) -> PlacedOrder:
        """An order made in the broker's own app: without our tag unless `tag` says so."""
        order = {"tag": None, "side": "BUY", "quantity": 1, "price": "100", "symbol": "RELIANCE", **body}
        return self.venue.make(account_id, order, fills, self.book_lag_seconds)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator["ScriptedBroker"]:
        server = await asyncio.start_server(self._converse, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for timer in self._later:
                timer.cancel()
            for task in self._conversations:
                task.cancel()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                answer = await self._answer(await read_request(reader))
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if not is_whole(answer):
                    break
        writer.close()

    async def _answer(self, request: Request) -> bytes | None:
        if request.parts[0] == "admin":
            return admin.answer(self, request)
        if not self._speaking.is_set():
            self._note(request)
            await self._speaking.wait()
            return None
        match request.method, request.parts:
            case "GET", ["accounts", account_id, what]:
                return self._read(what, int(account_id))
            case "POST", ["accounts", account_id, "orders"]:
                self._note(request)
                return await self._place(int(account_id), request.body)
            case ("PUT" | "DELETE") as method, ["accounts", account_id, "orders", order_id]:
                self._note(request)
                return await self._change(method, int(account_id), order_id, request.body)
            case _:
                return error(404, "NotFound", request.path)

    def _note(self, request: Request) -> None:
        if request.method != "GET":
            key = request.body["tag"] if request.method == "POST" else request.parts[-1]
            self.arrivals.append(
                Arrival(request.method, key, int(request.parts[1]), self.venue.clock.elapsed())
            )

    def _read(self, what: str, account_id: int) -> bytes:
        self.reads.append((what, account_id, self.venue.clock.elapsed()))
        if self.failing_reads.get(what, 0) > 0:
            self.failing_reads[what] -= 1
            return error(503, "NetworkException", "try later")
        if account_id in self.expired_sessions:
            return _SESSION_OVER
        if what == "orders":
            self.venue.fill_next()
        content = self.venue.read(what, account_id)
        return error(404, "NotFound", what) if content is None else response(200, content)

    async def _place(self, account_id: int, body: dict[str, Any]) -> bytes | None:
        behaviour = self._next_behaviour()
        if account_id in self.expired_sessions:
            return _SESSION_OVER
        lag = self.book_lag_seconds if behaviour.book_lag_seconds is None else behaviour.book_lag_seconds

        def make() -> bytes:
            made = [self.venue.make(account_id, body, behaviour.fills, lag) for _ in range(behaviour.copies)]
            return response(200, {"order_id": made[0].order_id})

        return await self._perform(behaviour, make)

    def _next_behaviour(self) -> Behaviour:
        if self._script:
            return self._script.popleft()
        return self.default if self.mix is None else self.mix.draw()

    async def _change(
        self, method: str, account_id: int, order_id: str, body: dict[str, Any]
    ) -> bytes | None:
        behaviour = self._change_script.popleft() if self._change_script else Behaviour()
        if account_id in self.expired_sessions:
            return _SESSION_OVER
        order = self.orders.get(order_id)
        if order is None or order.status != "OPEN" or (method == "DELETE" and self.refuse_cancels):
            return error(400, "OrderNotOpen", "the order is not open")

        def change() -> bytes:
            if method == "PUT":
                order.body |= body
            else:
                order.status = "CANCELLED"
            return response(200, {"order_id": order_id})

        if method == "DELETE":
            await asyncio.sleep(self.cancel_delay_seconds)
        return await self._perform(behaviour, change)

    async def _perform(self, behaviour: Behaviour, act: Callable[[], bytes]) -> bytes | None:
        """Do it or not, answer or not, as `behaviour` says."""
        await asyncio.sleep(behaviour.delay_seconds)
        if behaviour.placing == "refuse":
            return error(400, behaviour.code, behaviour.text)
        if behaviour.placing in _NOT_DONE:
            return _NOT_DONE[behaviour.placing]
        if behaviour.appears_after_seconds:
            self._later.add(asyncio.get_running_loop().call_later(behaviour.appears_after_seconds, act))
            done = response(200, {"order_id": "B-later"})
        else:
            done = act()
        await asyncio.sleep(behaviour.answer_delay_seconds)
        return {
            "truncate": done[:-6],
            "empty_id": response(200, {"order_id": ""}),
            "drop_after": None,
            "server_error_after": _SERVER_ERROR,
            "timed_out_text": _TIMED_OUT,
            "answer_twice": done + done,
        }.get(behaviour.placing, done)

    def truth(self) -> dict[str, Any]:
        """What really happened, for a judge in another process: orders by tag and arrivals."""
        by_tag: dict[str, list[dict[str, Any]]] = {}
        for order in self.orders.values():
            row = {
                **order.as_row(self.venue.clock.elapsed()),
                "account_id": order.account_id,
                "filled": order.filled,
            }
            by_tag.setdefault(order.tag or "", []).append(row)
        return {"orders_by_tag": by_tag, "arrivals": [asdict(each) for each in self.arrivals]}


_SERVER_ERROR: Final = error(500, "GeneralException", "try later")
_SESSION_OVER: Final = error(403, "TokenException", "the session has expired")
_NOT_DONE: Final[dict[Answering, bytes | None]] = {
    "drop_before": None,
    "server_error": _SERVER_ERROR,
    "html": raw_response(502, b"<html><body>Bad gateway</body></html>", "text/html"),
    # To the very place that was asked: relative to /accounts/{id}/orders.
    "redirect": b"HTTP/1.1 307 X\r\nlocation: orders\r\ncontent-length: 0\r\n\r\n",
    "rate_limited": error(429, "TooManyRequests", "too many requests"),
}
# Brokers really do this: an error, and the order in the book some seconds later.
_TIMED_OUT: Final = error(400, "OrderException", "Order request timed out. Check the order book.")
