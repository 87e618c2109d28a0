"""Events: past tense, snapshots with versions. A consumer applies one if its version is above its own, else drops it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vyomo_contracts.alerts import Alert
from vyomo_contracts.messages import Envelope, Tolerant
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.risk import RiskDecision
from vyomo_contracts.sessions import BrokerSession


class OrderChanged(Tolerant):
    kind: Literal["order"] = "order"
    sequence: int
    """Place in the record of all order events; `GET /api/events?since=` resumes after it."""
    cursor: int
    """A resume point that is safe while other transactions are still open: at or before `sequence`."""
    order: Order
    fills: tuple[Fill, ...] = ()
    """Trades that this change brought."""
    superseded_fills: tuple[str, ...] | None = None
    """Trade ids of derived fills told earlier that are no longer true: `fills` holds the real trades in their place."""


class PositionChanged(Tolerant):
    kind: Literal["position"] = "position"
    position: Position


class HoldingChanged(Tolerant):
    kind: Literal["holding"] = "holding"
    user_id: str
    holding: Holding


class FundsChanged(Tolerant):
    kind: Literal["funds"] = "funds"
    funds: Funds


class RiskChanged(Tolerant):
    """A switch was thrown, a limit changed, or everything told to be closed."""

    kind: Literal["risk"] = "risk"
    sequence: int
    """In the one order of all events of the record, order events included."""
    cursor: int
    decision: RiskDecision


class AlertRaised(Tolerant):
    kind: Literal["alert"] = "alert"
    alert: Alert


class SessionChanged(Tolerant):
    kind: Literal["session"] = "session"
    session: BrokerSession


Event = Annotated[
    OrderChanged
    | PositionChanged
    | HoldingChanged
    | FundsChanged
    | RiskChanged
    | AlertRaised
    | SessionChanged,
    Field(discriminator="kind"),
]


class BrokerEvents(Envelope):
    """Everything one commit changed in one partition, published right after the commit; the relay is the safety net."""

    TYPE: ClassVar[str] = "broker.events"
    items: tuple[Event, ...]
