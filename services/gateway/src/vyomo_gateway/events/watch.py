"""Waiting until an order has got somewhere: by its events, with the record as the first and the last word."""

import asyncio
from collections.abc import Awaitable, Callable

from vyomo_contracts.events import Event, OrderChanged
from vyomo_contracts.orders import Order
from vyomo_gateway.events.feed import EventFeed


class OrderWatch:
    def __init__(self, feed: EventFeed) -> None:
        self._feed = feed
        self._waiting: dict[str, set[asyncio.Queue[Order]]] = {}
        feed.add_listener(self._on_event)

    async def until(
        self,
        order: Order,
        is_settled: Callable[[Order], bool],
        *,
        read_order: Callable[[], Awaitable[Order]],
        seconds: float,
    ) -> Order:
        """The order's newest snapshot, at the latest after `seconds`, earlier once it `is_settled`."""
        if is_settled(order):
            return order
        snapshots: asyncio.Queue[Order] = asyncio.Queue()
        waiting = self._waiting.setdefault(order.order_id, set())
        waiting.add(snapshots)
        try:
            async with self._feed.listening(), asyncio.timeout(seconds):
                # What happened before the subscription began.
                order = _newer(order, await read_order())
                while not is_settled(order):
                    order = _newer(order, await snapshots.get())
        except TimeoutError:
            order = _newer(order, await read_order())
        finally:
            waiting.discard(snapshots)
            if not waiting:
                self._waiting.pop(order.order_id, None)
        return order

    def _on_event(self, event: Event) -> None:
        if isinstance(event, OrderChanged):
            for snapshots in self._waiting.get(event.order.order_id, ()):
                snapshots.put_nowait(event.order)


def _newer(known: Order, other: Order) -> Order:
    return other if other.version > known.version else known
