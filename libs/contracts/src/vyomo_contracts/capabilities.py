"""What each broker takes of programs. Whatever is not listed here is refused before it is recorded, and nothing is sent.

Rates and the rules on MARKET and IOC are those in force since 1 April 2026: SEBI/HO/MIRSD/MIRSD-PoD/P/2025/0000013, NSE/INVG/67858 and the brokers'
own notices of that spring.
"""

from collections.abc import Mapping
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


class OrderRate(Tolerant):
    """How many calls about orders a broker takes of one account: new orders, modifications and cancellations together."""

    per_second: int
    """In a calendar second."""
    reserved_for_cancels: int
    """Of those: an account that places as fast as it may can still cancel."""
    is_brokers: bool
    """True for a broker's own limit, which no setting raises; False for a choice of ours."""


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
            # 10 orders a second and client without registering the algorithm.
            order_rate=OrderRate(per_second=10, reserved_for_cancels=2, is_brokers=True),
        ),
        BrokerCapabilities(
            broker=Broker.ANGEL,
            # Whether SmartAPI counts MCX orders in lots or in units is nowhere said.
            exchanges=(Exchange.NSE, Exchange.NFO, Exchange.BSE, Exchange.BFO),
            order_types=tuple(OrderType),
            products=tuple(Product),
            validities=(Validity.DAY,),
            protected_order_types=(OrderType.MARKET, OrderType.SL_M),
            sign_in=SignInWay.CREDENTIALS,
            # SmartAPI answers 403 above nine.
            order_rate=OrderRate(per_second=9, reserved_for_cancels=2, is_brokers=True),
        ),
    )
}
