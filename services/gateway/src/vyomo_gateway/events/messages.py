"""What is said over the WebSocket, in both directions."""

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vyomo_contracts.events import (
    AlertRaised,
    Event,
    FundsChanged,
    HoldingChanged,
    OrderChanged,
    PositionChanged,
    RiskChanged,
    SessionChanged,
)
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.edge.encoding import Time, View, time_text
from vyomo_gateway.edge.errors import ErrorView
from vyomo_gateway.orders.schemas import OrderEventView, OrderView, TradeView
from vyomo_gateway.portfolio.schemas import HoldingView, MarginsView, PositionView
from vyomo_gateway.risk.schemas import RiskEventView


class Hello(View, frozen=True, kw_only=True):
    type: Literal["hello"] = "hello"
    cursor: int
    """Everything up to here is told by REST, or was before `since`; resume with `?since=<cursor>`."""


class Live(View, frozen=True, kw_only=True):
    """The replay and the first snapshots are through: what follows happens now."""

    type: Literal["live"] = "live"


class OrderMessage(View, frozen=True, kw_only=True):
    type: Literal["order"] = "order"
    cursor: int
    sequence: int
    order: OrderView
    trades: list[TradeView]
    superseded_trades: list[str] | UnsetType = UNSET
    """Ids of trades told earlier that were inferred; `trades` holds the broker's own in their place."""


class PositionMessage(View, frozen=True, kw_only=True):
    type: Literal["position"] = "position"
    position: PositionView


class HoldingMessage(View, frozen=True, kw_only=True):
    type: Literal["holding"] = "holding"
    holding: HoldingView


class MarginMessage(View, frozen=True, kw_only=True):
    type: Literal["margin"] = "margin"
    account_id: int
    margins: MarginsView


class RiskMessage(View, frozen=True, kw_only=True):
    type: Literal["risk"] = "risk"
    cursor: int
    sequence: int
    event: RiskEventView


class AlertMessage(View, frozen=True, kw_only=True):
    """Something a person must look at, told once."""

    type: Literal["alert"] = "alert"
    account_id: int
    code: str
    subject: str
    message: str
    raised_at: Time


class SessionMessage(View, frozen=True, kw_only=True):
    """Whether the broker lets us in for an account: NO_SESSION, ACTIVE, EXPIRING or EXPIRED."""

    type: Literal["session"] = "session"
    account_id: int
    state: str
    valid_until: Time | None
    reason: str | None


class PriceView(View, frozen=True, kw_only=True):
    instrument: str
    last_price: Decimal
    volume: int


class PriceMessage(View, frozen=True, kw_only=True):
    """The instruments that moved since the last one, at most ten messages a second."""

    type: Literal["price"] = "price"
    prices: list[msgspec.Raw]


class Subscribed(View, frozen=True, kw_only=True):
    """Answer to subscribe and unsubscribe: what the client asked to see by name."""

    type: Literal["subscribed"] = "subscribed"
    instruments: list[str]


class Pong(View, frozen=True, kw_only=True):
    type: Literal["pong"] = "pong"


class ErrorMessage(View, frozen=True, kw_only=True):
    type: Literal["error"] = "error"
    error: ErrorView


class ClientMessage(msgspec.Struct, frozen=True, tag_field="type", forbid_unknown_fields=True):
    """Base of what a client may say."""


class Subscribe(ClientMessage, frozen=True, tag="subscribe"):
    instruments: list[str]


class Unsubscribe(ClientMessage, frozen=True, tag="unsubscribe"):
    instruments: list[str]


class Ping(ClientMessage, frozen=True, tag="ping"):
    pass


_client_messages = msgspec.json.Decoder(Subscribe | Unsubscribe | Ping)


def client_message_of(text: str) -> Subscribe | Unsubscribe | Ping:
    """Raises:
    ValueError: not a message a client may send.
    """
    try:
        return _client_messages.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def user_of(event: Event) -> str:
    match event:
        case HoldingChanged():
            return event.user_id
        case (
            OrderChanged(order=thing)
            | PositionChanged(position=thing)
            | FundsChanged(funds=thing)
            | RiskChanged(decision=thing)
            | AlertRaised(alert=thing)
            | SessionChanged(session=thing)
        ):
            return thing.user_id


def message_of(event: Event) -> View:
    match event:
        case OrderChanged():
            return OrderMessage(
                cursor=event.cursor,
                sequence=event.sequence,
                order=OrderView.of(event.order),
                trades=[TradeView.of(fill) for fill in event.fills],
                superseded_trades=list(event.superseded_fills) if event.superseded_fills else UNSET,
            )
        case PositionChanged():
            return PositionMessage(position=PositionView.of(event.position, None, live=True))
        case HoldingChanged():
            return HoldingMessage(holding=HoldingView.of(event.holding, None, live=True))
        case FundsChanged():
            funds = event.funds
            # A real broker's balance is also unknown before its first answer; only paper capital is ever unlimited.
            unlimited = funds.broker is Broker.PAPER and funds.balance is None
            return MarginMessage(
                account_id=funds.account_id, margins=MarginsView.of(funds, unlimited=unlimited)
            )
        case RiskChanged():
            shown = RiskEventView.of(event.decision, event.sequence)
            return RiskMessage(cursor=event.cursor, sequence=event.sequence, event=shown)
        case AlertRaised() | SessionChanged():
            return _notice_of(event)


def _notice_of(event: AlertRaised | SessionChanged) -> View:
    if isinstance(event, AlertRaised):
        alert = event.alert
        return AlertMessage(
            account_id=alert.account_id,
            code=alert.code,
            subject=alert.subject,
            message=alert.message,
            raised_at=time_text(alert.raised_at),
        )
    session = event.session
    return SessionMessage(
        account_id=session.account_id,
        state=session.state,
        valid_until=None if session.valid_until is None else time_text(session.valid_until),
        reason=session.reason,
    )


def replayed(event: OrderEventView | RiskEventView, cursor: int) -> OrderMessage | RiskMessage:
    if isinstance(event, RiskEventView):
        # As it is told live: who it was and where from is for who asks the record.
        told = msgspec.structs.replace(event, by=UNSET)
        return RiskMessage(cursor=cursor, sequence=event.sequence, event=told)
    return OrderMessage(cursor=cursor, sequence=event.sequence, order=event.order, trades=event.trades)


class EventsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    events: list[OrderEventView | RiskEventView]
    """Of kind `order`, or `risk`: a decision about limits or trading states."""
    next_cursor: int | UnsetType = UNSET
    """Ask again with `since=` this, also when there were no events."""
