"""Live prices for those who watch: ticks are taken from the bus only while somebody does, and told ten times a second."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final, Protocol

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from vyomo_contracts import subjects
from vyomo_contracts.queries import LastPrice, TickFrame, WatchInstruments
from vyomo_gateway.commands import Envelopes
from vyomo_gateway.edge.encoding import encode_json, number
from vyomo_gateway.events.messages import PriceView
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

CONFLATION_SECONDS: Final = 0.1
LEASE_SECONDS: Final = 15.0
RENEWAL_SECONDS: Final = 5.0
_FRAME_LIMIT: Final = 64
"""Undelivered tick frames kept before the oldest is dropped: newer prices replace them anyway."""


class PriceWatcher(Protocol):
    """Somebody who watches instruments."""

    @property
    def watched(self) -> Iterable[str]: ...

    def offer_prices(self, prices: Mapping[str, msgspec.Raw]) -> None:
        """Take what is wanted of these encoded prices."""
        ...


class PriceFeed:
    def __init__(
        self, bus: Bus, envelopes: Envelopes, watchers: Callable[[], Iterable[PriceWatcher]]
    ) -> None:
        self._bus = bus
        self._envelopes = envelopes
        self._watchers = watchers
        self._interest: Counter[str] = Counter()
        self._changed: dict[str, LastPrice] = {}
        self._subscription: Subscription | None = None
        self._interest_changed = asyncio.Event()
        self._telling: asyncio.TimerHandle | None = None

    def watch(self, keys: Iterable[str]) -> None:
        self._interest.update(keys)
        self._interest_changed.set()

    def unwatch(self, keys: Iterable[str]) -> None:
        self._interest.subtract(keys)
        self._interest = +self._interest
        self._interest_changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        renewing = asyncio.create_task(self._renew_for_ever())
        try:
            yield
        finally:
            await cancel_and_wait(renewing)

    async def _renew_for_ever(self) -> None:
        while True:
            await self._interest_changed.wait()
            self._interest_changed.clear()
            while self._interest:
                await self._renew_until_changed()
            await self._stop()

    async def _renew_until_changed(self) -> None:
        renewing = asyncio.create_task(
            repeat(self._renew, every_seconds=RENEWAL_SECONDS, name="prices.renew")
        )
        try:
            await self._interest_changed.wait()
        finally:
            self._interest_changed.clear()
            await cancel_and_wait(renewing)

    async def _renew(self) -> None:
        if not self._bus.is_connected:
            return
        if self._subscription is None:
            self._subscription = await self._bus.client.subscribe(
                subjects.TICKS, cb=self._on_ticks, pending_msgs_limit=_FRAME_LIMIT
            )
        message = WatchInstruments(
            **self._envelopes.head(WatchInstruments),
            keys=tuple(self._interest),
            lease_seconds=LEASE_SECONDS,
        )
        await self._bus.publish(subjects.WATCH_INSTRUMENTS, message)

    async def _stop(self) -> None:
        subscription, self._subscription = self._subscription, None
        self._changed.clear()
        if subscription is not None:
            await subscription.unsubscribe()

    async def _on_ticks(self, message: Msg) -> None:
        try:
            frame = TickFrame.model_validate_json(message.data)
        except ValidationError as error:
            log.warning("prices.unreadable_frame", error=str(error)[:200])
            return
        for tick in frame.ticks:
            if tick.key in self._interest:
                self._changed[tick.key] = tick
        if self._changed and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(CONFLATION_SECONDS, self._tell)

    def _tell(self) -> None:
        self._telling = None
        changed, self._changed = self._changed, {}
        prices = {key: price_entry(key, Decimal(tick.price), tick.volume) for key, tick in changed.items()}
        for watcher in self._watchers():
            watcher.offer_prices(prices)


def price_entry(key: str, price: Decimal, volume: int) -> msgspec.Raw:
    """Encoded once, sent to many."""
    return msgspec.Raw(encode_json(PriceView(instrument=key, last_price=number(price), volume=volume)))
