"""Events: past tense, snapshots with versions. A consumer applies one if its version is above its own, else drops it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vyomo_contracts.messages import Envelope, Tolerant
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position


class OrderChanged(Tolerant):
    kind: Literal["order"] = "order"
    sequence: int
    """Place in the record of all order events; `GET /api/events?since=` resumes after it."""
    cursor: int
    """A resume point that is safe while other transactions are still open: at or before `sequence`."""
    order: Order
    fills: tuple[Fill, ...] = ()
    """Trades that this change brought."""


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


Event = Annotated[
    OrderChanged | PositionChanged | HoldingChanged | FundsChanged,
    Field(discriminator="kind"),
]


class BrokerEvents(Envelope):
    """Everything one commit changed in one partition, published right after the commit; the relay is the safety net."""

    TYPE: ClassVar[str] = "broker.events"
    items: tuple[Event, ...]
