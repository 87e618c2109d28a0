"""What each broker takes of programs. Whatever is not listed here is refused before it is recorded, and nothing is sent.

Rates and the rules on MARKET and IOC are those in force since 1 April 2026: SEBI/HO/MIRSD/MIRSD-PoD/P/2025/0000013, NSE/INVG/67858 and the brokers'
own notices of that spring.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Final

from vyomo_contracts.messages import Tolerant
from vyomo_contracts.vocabulary import Broker, Exchange, OrderType, Product, Validity


class SignInWay(StrEnum):
    NONE = "none"
    """There is nothing to sign in to."""
    BROWSER = "browser"
    """The account's owner signs in on the broker's page, each trading day."""
    CREDENTIALS = "credentials"
    """Its worker signs in with the stored PIN and one-time password, by itself when a session ends."""


class RateWindow(StrEnum):
    """The calendar's, in India: what is counted begins anew with each."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        return _LENGTHS[self]

    def start(self, at: datetime) -> datetime:
        """When the one that holds `at` began."""
        since_epoch = at.astimezone(_INDIA).replace(tzinfo=UTC) - _EPOCH
        return at - since_epoch % self.length


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INDIA: Final = timezone(timedelta(hours=5, minutes=30))
_LENGTHS: Final = {
    RateWindow.SECOND: timedelta(seconds=1),
    RateWindow.MINUTE: timedelta(minutes=1),
    RateWindow.HOUR: timedelta(hours=1),
    RateWindow.DAY: timedelta(days=1),
}


class OrderRate(Tolerant):
    """How many calls about orders a broker takes of one account: new orders, modifications and cancellations together."""

    per_second: int
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    reserved_for_cancels: int
    """Of a second: an account that places as fast as it may can still cancel. A fifth of the longer windows is kept for cancellations and for
    orders that reduce a position."""
    is_brokers: bool
    """True for a broker's own limit, which no setting raises; False for a choice of ours."""

    def of(self, window: RateWindow) -> int | None:
        """Calls in that window; None if nobody counts them."""
        return {
            RateWindow.SECOND: self.per_second,
            RateWindow.MINUTE: self.per_minute,
            RateWindow.HOUR: self.per_hour,
            RateWindow.DAY: self.per_day,
        }[window]

    def unreserved(self, window: RateWindow) -> int | None:
        """What is left to others than those that it is kept for; at least one."""
        limit = self.of(window)
        if limit is None:
            return None
        kept = self.reserved_for_cancels if window is RateWindow.SECOND else limit // 5
        return max(limit - kept, 1)


class BrokerCapabilities(Tolerant):
    broker: Broker
    exchanges: tuple[Exchange, ...]
    order_types: tuple[OrderType, ...]
    products: tuple[Product, ...]
    validities: tuple[Validity, ...]
    protected_order_types: tuple[OrderType, ...] = ()
    """Sent with a limit near the last price; what does not fill inside it rests at that limit."""
    takes_indices: bool = False
    """An index itself can be ordered, not only its futures and options."""
    sign_in: SignInWay
    order_rate: OrderRate


CAPABILITIES: Final[Mapping[Broker, BrokerCapabilities]] = {
    each.broker: each
    for each in (
        BrokerCapabilities(
            broker=Broker.PAPER,
            exchanges=tuple(Exchange),
            order_types=tuple(OrderType),
            products=tuple(Product),
            validities=tuple(Validity),
            takes_indices=True,
            sign_in=SignInWay.NONE,
            # As at a real broker, so that a strategy meets its rate here first; an account's owner may set any other.
            order_rate=OrderRate(per_second=10, reserved_for_cancels=2, is_brokers=False),
        ),
        BrokerCapabilities(
            broker=Broker.ZERODHA,
            exchanges=tuple(Exchange),
            order_types=tuple(OrderType),
            products=tuple(Product),
            validities=tuple(Validity),
            protected_order_types=(OrderType.MARKET, OrderType.SL_M),
            sign_in=SignInWay.BROWSER,
            # 10 orders a second and client without registering the algorithm; the longer windows are Zerodha's own.
            order_rate=OrderRate(
                per_second=10, per_minute=400, per_day=5000, reserved_for_cancels=2, is_brokers=True
            ),
        ),
        BrokerCapabilities(
            broker=Broker.ANGEL,
            # Without MCX: whether SmartAPI counts in lots or in units of goods there is nowhere said, and the difference is a hundredfold.
            exchanges=(Exchange.NSE, Exchange.NFO, Exchange.BSE, Exchange.BFO),
            order_types=tuple(OrderType),
            products=tuple(Product),
            validities=(Validity.DAY,),
            protected_order_types=(OrderType.MARKET, OrderType.SL_M),
            sign_in=SignInWay.CREDENTIALS,
            # SmartAPI answers 403 above nine.
            order_rate=OrderRate(
                per_second=9, per_minute=500, per_hour=1000, reserved_for_cancels=2, is_brokers=True
            ),
        ),
    )
}
