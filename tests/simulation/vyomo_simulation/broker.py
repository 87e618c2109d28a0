"""A broker that behaves as brokers do: slow, mute, refusing, "timed out" and yet executing, with an order book that lags.

It stands where the HTTP transport does, so the adapter's own table of answers is under test, too.
"""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002
import asyncio
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final

import orjson

from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import NotSent, Unknown
from vyomo_contracts.money import to_price

from .loop import VirtualLoop

TOTAL_SECONDS: Final = 7.0

# What becomes of a place call, in parts of a hundred. The second word says whether the broker has the order then.
PLACING: Final = {
    "accept": 66,
    "refuse": 5,
    "not_sent": 4,
    "drop_before": 4,
    "drop_after": 7,
    "hang_made": 3,
    "error_made": 3,
    "error_not_made": 3,
    "timed_out_text_appears": 3,
    "html_not_made": 2,
}
_TERMS: Final = ("exchange", "symbol", "side", "order_type", "product", "validity")
CHANGING: Final = {"accept": 80, "refuse": 5, "not_sent": 3, "drop_before": 6, "drop_after": 6}
LARGEST_DELAY: Final = 4.0
"""Longest time after which an order that was said to have failed appears."""


@dataclass(slots=True)
class Placed:
    """An order at the broker, with all it ever looked like: (when, row as JSON)."""

    number: str
    tag: str | None
    """None of what was placed elsewhere."""
    account_id: int
    quantity: int
    price: Decimal
    trigger_price: Decimal | None
    placed_at: str
    terms: dict[str, Any]
    """Of the request, as the book shows them again."""
    status: str = "OPEN"
    filled: int = 0
    value: Decimal = Decimal(0)
    looks: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    trades: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])

    @property
    def average(self) -> Decimal:
        return to_price(self.value / self.filled) if self.filled else Decimal(0)

    def show(self, now: float) -> None:
        row = self.terms | {
            "order_id": self.number,
            "tag": self.tag,
            "placed_at": self.placed_at,
            "text": None,
            "status": self.status,
            "quantity": self.quantity,
            "filled_quantity": self.filled,
            "average_price": str(self.average),
            "price": str(self.price),
            "trigger_price": None if self.trigger_price is None else str(self.trigger_price),
        }
        self.looks.append((now, orjson.dumps(row)))

    def as_seen(self, at: float) -> bytes | None:
        place = bisect_right(self.looks, at, key=lambda look: look[0])
        return self.looks[place - 1][1] if place else None


@dataclass(slots=True)
class Send:
    """A place call as it left us."""

    tag: str
    at: float
    claimed_at: datetime | None


class Broker:
    def __init__(
        self,
        loop: VirtualLoop,
        random: Random,
        *,
        claimed_at: Callable[[str], datetime | None],
        note: Callable[..., None],
        beginning: datetime,
    ) -> None:
        self.orders: dict[str, Placed] = {}
        self.by_tag: dict[str, list[Placed]] = {}
        self.by_account: dict[int, list[Placed]] = {}
        self.sends: list[Send] = []
        self.signed_out: set[int] = set()
        """Accounts whose calls are answered with the wish for a new login."""
        self.refused_sessions = 0
        self.unknown_outcomes = 0
        self._loop = loop
        self._random = random
        self._claimed_at = claimed_at
        self._note = note
        self._beginning = beginning
        # Most days are ordinary; on some, calls hang, and lanes are full.
        hanging = random.choice((1, 1, 6))
        self._lag_seconds = random.choice((0.4, 0.4, 2.5))
        self._placing = PLACING | {"hang_made": PLACING["hang_made"] * hanging}

    async def call(
        self, method: str, path: str, *, json: Any = None, urgent: bool = False
    ) -> Answer | NotSent | Unknown:
        """`OrderTransport.call`. The request travels on though its sender is killed meanwhile."""
        answer: asyncio.Future[Answer | NotSent | Unknown] = self._loop.create_future()
        if method == "POST":
            self.sends.append(Send(json["tag"], self._loop.time(), self._claimed_at(json["tag"])))
            fate, serve = self._draw(self._placing), self._place
        elif method == "GET":
            fate, serve = "accept", self._trades if path.endswith("/trades") else self._book
        else:
            fate, serve = self._draw(CHANGING), self._cancel if method == "DELETE" else self._modify
        if method != "GET":
            self._note(method, path, "" if json is None else json, fate)
        if fate == "not_sent":
            self._loop.later(0.002, _say, answer, NotSent("connection refused"))
        else:
            self._loop.later(self._random.expovariate(20), self._arrive, fate, serve, path, json, answer)
        return await answer

    def sign_out(self, account_id: int) -> None:
        self._note("session over", account_id)
        self.signed_out.add(account_id)

    def _arrive(
        self,
        fate: str,
        serve: Callable[[str, Any], Answer],
        path: str,
        json: Any,
        answer: "asyncio.Future[Answer | NotSent | Unknown]",
    ) -> None:
        later = self._loop.later
        back = self._random.expovariate(20)
        if int(path.split("/")[2]) in self.signed_out:
            self.refused_sessions += 1
            later(back, _say, answer, _refusal("TokenException", "the session is over", status=403))
            return
        match fate:
            case "accept":
                later(back, _say, answer, serve(path, json))
            case "refuse":
                later(back, _say, answer, _refusal("InputException", "the price is out of range"))
            case "hang_made":
                later(self._random.uniform(1, TOTAL_SECONDS + 3), _say, answer, serve(path, json))
                later(TOTAL_SECONDS, self._say_unknown, answer, "no answer in time")
            case "drop_after":
                serve(path, json)
                later(back, self._say_unknown, answer, "connection reset")
            case "error_made":
                serve(path, json)
                later(back, self._say_counted, answer, Answer(502, b"<html>bad gateway</html>"))
            case "timed_out_text_appears":
                later(
                    back,
                    self._say_counted,
                    answer,
                    _refusal("OrderException", "Order request timed out. Please check the order book."),
                )
                later(self._random.uniform(0.5, LARGEST_DELAY), serve, path, json)
            case "error_not_made":
                later(
                    back,
                    self._say_counted,
                    answer,
                    Answer(502, orjson.dumps({"error": "NetworkException", "message": "OMS"})),
                )
            case "html_not_made":
                later(back, self._say_counted, answer, Answer(200, b"<html>maintenance</html>"))
            case _:
                later(back, self._say_unknown, answer, "connection reset")

    def place_elsewhere(self, account_id: int, json: dict[str, Any]) -> None:
        """In the broker's own app: nobody tells us."""
        self._place(f"/accounts/{account_id}/orders", json)

    def cancel_elsewhere(self, placed: Placed) -> None:
        self._note("cancelled elsewhere", placed.number)
        self._end(placed, "CANCELLED")

    def _place(self, path: str, json: Any) -> Answer:
        trigger = json["trigger_price"]
        placed = Placed(
            number=f"B{len(self.orders) + 1:07d}",
            tag=json["tag"],
            account_id=int(path.split("/")[2]),
            quantity=json["quantity"],
            price=Decimal(json["price"]),
            trigger_price=None if trigger is None else Decimal(trigger),
            placed_at=self._time(),
            terms={name: json[name] for name in _TERMS},
        )
        self.orders[placed.number] = placed
        if placed.tag is not None:
            self.by_tag.setdefault(placed.tag, []).append(placed)
        self.by_account.setdefault(placed.account_id, []).append(placed)
        placed.show(self._loop.time())
        self._note("broker has", placed.tag, placed.number)
        self._plan(placed)
        return Answer(200, orjson.dumps({"order_id": placed.number}))

    def _plan(self, placed: Placed) -> None:
        """How it ends if nobody interferes: filled in one to three parts, soon or after resting, or rejected by the exchange."""
        random = self._random
        at = random.uniform(3, 8) if random.random() < 0.25 else random.expovariate(2)
        if random.random() < 0.04:
            self._loop.later(at, self._end, placed, "REJECTED")
            return
        for part in range(random.choice((1, 1, 2, 3)), 0, -1):
            self._loop.later(at, self._fill, placed, part)
            at += random.expovariate(1)

    def _fill(self, placed: Placed, parts_left: int) -> None:
        if placed.status != "OPEN":
            return
        open_quantity = placed.quantity - placed.filled
        quantity = open_quantity if parts_left == 1 else min(open_quantity, max(placed.quantity // 3, 1))
        placed.filled += quantity
        price = Decimal(self._random.randint(2000, 2100)) / 20
        placed.value += quantity * price
        trade = {
            "trade_id": str(len(placed.trades) + 1),
            "order_id": placed.number,
            "symbol": placed.terms["symbol"],
            "side": placed.terms["side"],
            "quantity": quantity,
            "price": str(price),
            "traded_at": self._time(),
        }
        placed.trades.append((self._loop.time(), orjson.dumps(trade)))
        placed.status = "COMPLETE" if placed.filled == placed.quantity else "OPEN"
        placed.show(self._loop.time())

    def _end(self, placed: Placed, status: str) -> None:
        if placed.status == "OPEN" and not (status == "REJECTED" and placed.filled):
            placed.status = status
            placed.show(self._loop.time())

    def _cancel(self, path: str, json: Any) -> Answer:
        placed = self.orders[path.rsplit("/", 1)[1]]
        if placed.status != "OPEN":
            return _refusal("OrderNotOpen", "the order is not open")
        self._end(placed, "CANCELLED")
        return Answer(200, orjson.dumps({"order_id": placed.number}))

    def _modify(self, path: str, json: Any) -> Answer:
        placed = self.orders[path.rsplit("/", 1)[1]]
        if placed.status != "OPEN" or json.get("quantity", placed.quantity) <= placed.filled:
            return _refusal("OrderNotOpen", "the order is not open")
        placed.quantity = json.get("quantity", placed.quantity)
        placed.price = Decimal(json.get("price", placed.price))
        placed.show(self._loop.time())
        return Answer(200, orjson.dumps({"order_id": placed.number}))

    def _book(self, path: str, json: Any) -> Answer:
        """As it was a moment ago; reads made one after the other may even go back in time."""
        if self._random.random() < 0.03:
            return Answer(503, b"")
        seen_at = self._loop.time() - self._random.uniform(0, self._lag_seconds)
        placed = self.by_account.get(int(path.split("/")[2]), ())
        rows = [row for row in (each.as_seen(seen_at) for each in placed) if row is not None]
        return Answer(200, b'{"orders":[' + b",".join(rows) + b"]}")

    def _trades(self, path: str, json: Any) -> Answer:
        """A book of its own, with a lag of its own."""
        if self._random.random() < 0.03:
            return Answer(503, b"")
        seen_at = self._loop.time() - self._random.uniform(0, self._lag_seconds)
        placed = self.by_account.get(int(path.split("/")[2]), ())
        rows = [text for each in placed for at, text in each.trades if at <= seen_at]
        return Answer(200, b'{"trades":[' + b",".join(rows) + b"]}")

    def _time(self) -> str:
        return (self._beginning + timedelta(seconds=self._loop.time())).isoformat()

    def _draw(self, fates: dict[str, int]) -> str:
        return self._random.choices(list(fates), list(fates.values()))[0]

    def _say_unknown(self, answer: "asyncio.Future[Answer | NotSent | Unknown]", why: str) -> None:
        self._say_counted(answer, Unknown(why))

    def _say_counted(
        self, answer: "asyncio.Future[Answer | NotSent | Unknown]", said: Answer | NotSent | Unknown
    ) -> None:
        if not answer.done():
            self.unknown_outcomes += 1
        _say(answer, said)


def _refusal(error: str, message: str, *, status: int = 400) -> Answer:
    return Answer(status, orjson.dumps({"error": error, "message": message}))


def _say(answer: "asyncio.Future[Answer | NotSent | Unknown]", said: Answer | NotSent | Unknown) -> None:
    if not answer.done():
        answer.set_result(said)
