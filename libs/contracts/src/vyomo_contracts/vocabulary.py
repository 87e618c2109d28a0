"""The words of the public API, the database and the bus. One spelling everywhere; a broker's own words stay in its adapter."""

from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING


class Word(StrEnum):
    """A word of the vocabulary."""

    if not TYPE_CHECKING:
        # The standard library finds `value` through two Python calls, and every word in every message is asked for it.
        value = property(attrgetter("_value_"))


class Broker(Word):
    PAPER = "paper"
    ZERODHA = "zerodha"
    ANGEL = "angel"


class Environment(Word):
    """Which world an account's broker lives in."""

    LIVE = "live"
    SANDBOX = "sandbox"
    """The paper exchange, speaking the broker's own wire protocol."""


class Exchange(Word):
    NSE = "NSE"
    NFO = "NFO"
    BSE = "BSE"
    BFO = "BFO"
    MCX = "MCX"

    @property
    def is_cash(self) -> bool:
        return self in {Exchange.NSE, Exchange.BSE}


class TransactionType(Word):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for BUY, -1 for SELL: what one unit does to a position."""
        return 1 if self is TransactionType.BUY else -1


class OrderType(Word):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    SL = "SL"
    """Stop-limit: rests until the last price reaches the trigger, then is a LIMIT order."""
    SL_M = "SL-M"
    """Stop-market: rests until the last price reaches the trigger, then is a MARKET order."""

    @property
    def takes_price(self) -> bool:
        return self in {OrderType.LIMIT, OrderType.SL}

    @property
    def takes_trigger_price(self) -> bool:
        return self in {OrderType.SL, OrderType.SL_M}


class Product(Word):
    CNC = "CNC"
    """Delivery in the cash segment."""
    MIS = "MIS"
    """Intraday, squared off by the broker before the close."""
    NRML = "NRML"
    """Carried futures and options."""


class Validity(Word):
    DAY = "DAY"
    IOC = "IOC"


class InstrumentKind(Word):
    INDEX = "INDEX"
    EQUITY = "EQUITY"
    FUTURE = "FUTURE"
    OPTION = "OPTION"


class OptionType(Word):
    CE = "CE"
    PE = "PE"


class OrderState(Word):
    """Best knowledge of where an order stands. `vyomo_contracts.lifecycle` says which moves are legal."""

    NEW = "NEW"
    """Recorded by us, nothing sent."""
    DENIED = "DENIED"
    """Refused by our own risk rules or controls; never reached a broker."""
    SUBMITTING = "SUBMITTING"
    """Intent is durable; the call may be on the wire."""
    UNCONFIRMED = "UNCONFIRMED"
    """The call's outcome is unknown; only evidence moves it on."""
    ACKNOWLEDGED = "ACKNOWLEDGED"
    """The broker gave an order id; its own verdict is outstanding."""
    TRIGGER_PENDING = "TRIGGER_PENDING"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL_STATES

    @property
    def status(self) -> "OrderStatus":
        return STATUS_OF_STATE[self]


TERMINAL_STATES = frozenset(
    {
        OrderState.DENIED,
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.REJECTED,
        OrderState.EXPIRED,
    }
)

WORKING_STATES = frozenset(
    {
        OrderState.SUBMITTING,
        OrderState.UNCONFIRMED,
        OrderState.ACKNOWLEDGED,
        OrderState.TRIGGER_PENDING,
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
    }
)
"""States in which a broker may hold the order."""


class OrderStatus(Word):
    """The specification's four words; the finer truth is `OrderState`."""

    PENDING = "PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


STATUS_OF_STATE = {
    **dict.fromkeys(OrderState, OrderStatus.PENDING),
    OrderState.FILLED: OrderStatus.COMPLETE,
    OrderState.CANCELLED: OrderStatus.CANCELLED,
    OrderState.EXPIRED: OrderStatus.CANCELLED,
    OrderState.DENIED: OrderStatus.REJECTED,
    OrderState.REJECTED: OrderStatus.REJECTED,
}


class CandleInterval(Word):
    """How much time one candle covers."""

    MINUTE = "1m"
    THREE_MINUTES = "3m"
    FIVE_MINUTES = "5m"
    FIFTEEN_MINUTES = "15m"
    HALF_HOUR = "30m"
    HOUR = "1h"
    DAY = "1d"
    """One trading session, however long it is."""


class PendingAction(Word):
    """A change asked for and not yet answered by the broker. Not a state: the order keeps its own while this is open."""

    MODIFY = "MODIFY"
    CANCEL = "CANCEL"


class Origin(Word):
    VYOMO = "vyomo"
    EXTERNAL = "external"
    """Placed elsewhere: the broker's own app, or a front door of the paper exchange."""
    RECONCILIATION = "reconciliation"


class TradingState(Word):
    """What an account may do. Cancelling is always possible."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    """Only orders that bring a position closer to zero."""
    HALTED = "HALTED"
    """Nothing new is sent, neither entries nor exits; what was pending is cancelled."""


class ControlScope(Word):
    """How much of a user's (or everybody's) accounts a switch covers."""

    GLOBAL = "global"
    BROKER = "broker"
    ACCOUNT = "account"


class ControlCause(Word):
    """Who threw a switch. Each cause has its own, so that releasing one does not release another."""

    SWITCH = "SWITCH"
    """A person or a program of theirs."""
    DAILY_LOSS = "DAILY_LOSS"
    BREAKER = "BREAKER"
    """Too many orders whose outcome is unknown."""
    DRIFT = "DRIFT"
    """The broker holds what neither the day's opening nor its trades explain."""


class Scope(Word):
    """What an API key may do."""

    READ = "read"
    TRADE = "trade"
