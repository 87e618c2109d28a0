"""What is said over the WebSocket, in both directions."""

from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vyomo_contracts.events import (
    Event,
    FundsChanged,
    HoldingChanged,
    OrderChanged,
    PositionChanged,
    RiskChanged,
)
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.edge.encoding import View
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
        case OrderChanged():
            return event.order.user_id
        case PositionChanged():
            return event.position.user_id
        case HoldingChanged():
            return event.user_id
        case FundsChanged():
            return event.funds.user_id
        case RiskChanged():
            return event.decision.user_id


def message_of(event: Event) -> View:
    match event:
        case OrderChanged():
            return OrderMessage(
                cursor=event.cursor,
                sequence=event.sequence,
                order=OrderView.of(event.order),
                trades=[TradeView.of(fill) for fill in event.fills],
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


def replayed(event: OrderEventView | RiskEventView, cursor: int) -> OrderMessage | RiskMessage:
    if isinstance(event, RiskEventView):
        return RiskMessage(cursor=cursor, sequence=event.sequence, event=event)
    return OrderMessage(cursor=cursor, sequence=event.sequence, order=event.order, trades=event.trades)


class EventsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    events: list[OrderEventView | RiskEventView]
    """Of kind `order`, or `risk`: a decision about limits or trading states."""
    next_cursor: int | UnsetType = UNSET
    """Ask again with `since=` this, also when there were no events."""
