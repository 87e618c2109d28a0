"""What a scripted broker really holds: orders, trades, positions and funds of its accounts, and when each becomes visible.

Times are seconds of this process's own clock: the truth of a test must not depend on the clocks of those it judges.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vyomo_service_kit.clock import Clock, SystemClock

MARKET_PRICE: Final = "100"
OPENING_BALANCE: Final = "100000"


@dataclass(frozen=True, slots=True)
class Trade:
    trade_id: str
    quantity: int
    price: Decimal
    visible_at: float
    traded_at: datetime


@dataclass(slots=True)
class PlacedOrder:
    order_id: str
    account_id: int
    body: dict[str, Any]
    pending_fills: deque[int]
    visible_at: float
    lag_seconds: float
    placed_at: datetime
    clock: Clock
    next_trade_id: Callable[[], str]
    trades: list[Trade] = field(default_factory=list[Trade])
    status: str = "OPEN"
    text: str | None = None
    book_stands: bool = False
    """The order book goes on showing the order as it showed it last, while the trade book shows its fills."""
    _shown: dict[str, Any] | None = None
    _done_since: float | None = None

    @property
    def tag(self) -> str | None:
        return self.body.get("tag")

    @property
    def quantity(self) -> int:
        return int(self.body["quantity"])

    @property
    def filled(self) -> int:
        return sum(trade.quantity for trade in self.trades)

    @property
    def fill_price(self) -> str:
        """Its own price; a market order has none and gets one."""
        price: str = self.body["price"]
        return MARKET_PRICE if Decimal(price) == 0 else price

    def is_done_for(self, seconds: float, now: float) -> bool:
        """Neither open nor, as far as anybody looked, open within so many seconds."""
        if self.status == "OPEN":
            return False
        if self._done_since is None:
            self._done_since = now
        return now - max(self._done_since, *(trade.visible_at for trade in self.trades), 0.0) > seconds

    def fill_next(self) -> None:
        if self.status == "OPEN" and self.pending_fills:
            self.fill(self.pending_fills.popleft())

    def fill(self, quantity: int, price: str | None = None) -> None:
        """Trade up to `quantity` now; it is complete when nothing remains."""
        quantity = min(quantity, self.quantity - self.filled)
        if quantity <= 0:
            return
        visible_at = max(self.visible_at, self.clock.elapsed() + self.lag_seconds)
        self.trades.append(
            Trade(
                self.next_trade_id(),
                quantity,
                Decimal(price or self.fill_price),
                visible_at,
                self.clock.now(),
            )
        )
        if self.filled == self.quantity:
            self.status = "COMPLETE"

    def as_row(self, now: float) -> dict[str, Any]:
        """As the book shows it at `now`, which may be behind the truth."""
        if self.book_stands and self._shown is not None:
            return self._shown
        seen = [trade for trade in self.trades if trade.visible_at <= now]
        filled = sum(trade.quantity for trade in seen)
        value = sum((trade.price * trade.quantity for trade in seen), Decimal(0))
        status = "OPEN" if self.status == "COMPLETE" and filled < self.quantity else self.status
        self._shown = {
            "order_id": self.order_id,
            "tag": self.tag,
            "symbol": self.body["symbol"],
            "exchange": self.body.get("exchange", "NSE"),
            "side": self.body["side"],
            "order_type": self.body.get("order_type", "LIMIT"),
            "product": self.body.get("product", "MIS"),
            "validity": self.body.get("validity", "DAY"),
            "status": status,
            "quantity": self.quantity,
            "filled_quantity": filled,
            "average_price": str(value / filled) if filled else "0",
            "price": self.body["price"],
            "trigger_price": self.body.get("trigger_price"),
            "placed_at": self.placed_at.isoformat(),
            "text": self.text,
        }
        return self._shown


@dataclass(slots=True)
class _Traded:
    """Quantity and value by exchange, symbol, product and side."""

    sums: dict[tuple[str, str, str, str], tuple[int, Decimal]] = field(
        default_factory=dict[tuple[str, str, str, str], tuple[int, Decimal]]
    )

    def add(self, order: PlacedOrder) -> None:
        body = order.body
        key = (body.get("exchange", "NSE"), body["symbol"], body.get("product", "MIS"), body["side"])
        for trade in order.trades:
            quantity, value = self.sums.get(key, (0, Decimal(0)))
            self.sums[key] = (quantity + trade.quantity, value + trade.quantity * trade.price)


@dataclass
class ScriptedVenue:
    clock: Clock = field(default_factory=SystemClock)
    orders: dict[str, PlacedOrder] = field(default_factory=dict[str, PlacedOrder])
    overnight: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    """Quantity carried into the day by (account, symbol), in NSE MIS: what fills do not explain and the baseline does."""
    drift: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    """A quantity by (account, symbol) that the positions show and nothing explains."""
    book_seconds: float | None = None
    """Orders that ended longer ago are in no book any more, though in positions and funds; None shows the whole day."""
    _shown: dict[int, list[PlacedOrder]] = field(default_factory=dict[int, list[PlacedOrder]])
    """By account: what its books show, and maybe some that ended too long ago."""
    _past: dict[int, "_Traded"] = field(default_factory=dict[int, "_Traded"])
    """By account: what was traded by orders that are in no book any more."""
    _filling: list[PlacedOrder] = field(default_factory=list[PlacedOrder])
    _traded: int = 0

    def make(
        self, account_id: int, body: dict[str, Any], fills: Sequence[int] | None, lag_seconds: float
    ) -> PlacedOrder:
        order = PlacedOrder(
            order_id=f"B{len(self.orders) + 1:09d}",
            account_id=account_id,
            body=dict(body),
            pending_fills=deque((int(body["quantity"]),) if fills is None else fills),
            visible_at=self.clock.elapsed() + lag_seconds,
            lag_seconds=lag_seconds,
            placed_at=self.clock.now(),
            clock=self.clock,
            next_trade_id=self._next_trade_id,
        )
        self.orders[order.order_id] = order
        self._shown.setdefault(account_id, []).append(order)
        self._filling.append(order)
        return order

    def fill_next(self) -> None:
        """Every open order trades its next part."""
        for order in self._filling:
            order.fill_next()
        self._filling = [order for order in self._filling if order.status == "OPEN"]

    def orders_with_tag(self, tag: str) -> list[PlacedOrder]:
        return [order for order in self.orders.values() if order.tag == tag]

    def read(self, what: str, account_id: int) -> dict[str, Any] | None:
        match what:
            case "orders":
                return {"orders": self.book(account_id)}
            case "trades":
                return {"trades": self.trades(account_id)}
            case "positions":
                return {"positions": self.positions(account_id)}
            case "funds":
                return dict(self.funds(account_id))
            case _:
                return None

    def book(self, account_id: int) -> list[dict[str, Any]]:
        now = self.clock.elapsed()
        return [order.as_row(now) for order in self._of(account_id) if order.visible_at <= now]

    def trades(self, account_id: int) -> list[dict[str, Any]]:
        now = self.clock.elapsed()
        return [
            {
                "trade_id": trade.trade_id,
                "order_id": order.order_id,
                "symbol": order.body["symbol"],
                "side": order.body["side"],
                "quantity": trade.quantity,
                "price": str(trade.price),
                "traded_at": trade.traded_at.isoformat(),
            }
            for order in self._of(account_id)
            for trade in order.trades
            if trade.visible_at <= now
        ]

    def positions(self, account_id: int) -> list[dict[str, Any]]:
        """Net positions: what was carried in, what was traded, and what a test lets drift."""
        rows: dict[tuple[str, str, str], dict[str, Any]] = {}

        def row(exchange: str, symbol: str, product: str) -> dict[str, Any]:
            empty = {"buy_quantity": 0, "buy_value": Decimal(0), "sell_quantity": 0, "sell_value": Decimal(0)}
            return rows.setdefault(
                (exchange, symbol, product), {"overnight_quantity": 0, "drift": 0, **empty}
            )

        for (owner, symbol), quantity in self.overnight.items():
            if owner == account_id:
                row("NSE", symbol, "MIS")["overnight_quantity"] += quantity
        for (owner, symbol), quantity in self.drift.items():
            if owner == account_id:
                row("NSE", symbol, "MIS")["drift"] += quantity
        for (*instrument, side), (quantity, value) in self._traded_by(account_id).sums.items():
            mine = row(*instrument)
            mine[f"{side.lower()}_quantity"] += quantity
            mine[f"{side.lower()}_value"] += value
        return [
            {
                "exchange": exchange,
                "symbol": symbol,
                "product": product,
                "quantity": each["overnight_quantity"]
                + each["drift"]
                + each["buy_quantity"]
                - each["sell_quantity"],
                **{name: str(value) if isinstance(value, Decimal) else value for name, value in each.items()},
            }
            for (exchange, symbol, product), each in rows.items()
        ]

    def funds(self, account_id: int) -> dict[str, str]:
        """Cash after today's trades; nothing is blocked as margin."""
        sums = self._traded_by(account_id).sums
        moved = sum(
            (value if side == "SELL" else -value for (*_, side), (_, value) in sums.items()), Decimal(0)
        )
        balance = str(Decimal(OPENING_BALANCE) + moved)
        return {"balance": balance, "used": "0", "available": balance}

    def _of(self, account_id: int) -> list[PlacedOrder]:
        """Those the account's books show."""
        mine = self._shown.get(account_id, [])
        if self.book_seconds is not None:
            now, kept = self.clock.elapsed(), list[PlacedOrder]()
            for order in mine:
                if order.is_done_for(self.book_seconds, now):
                    self._past.setdefault(account_id, _Traded()).add(order)
                else:
                    kept.append(order)
            self._shown[account_id] = mine = kept
        return mine

    def _traded_by(self, account_id: int) -> "_Traded":
        shown = self._of(account_id)
        traded = _Traded(dict(self._past[account_id].sums) if account_id in self._past else {})
        for order in shown:
            traded.add(order)
        return traded

    def _next_trade_id(self) -> str:
        self._traded += 1
        return f"T{self._traded:06d}"
