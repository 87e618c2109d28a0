"""A change of one order."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.trail import BrokerAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`after` has the version one above `before`'s, whatever number of updates it sums up."""

    before: Order
    after: Order
    fills: tuple[Fill, ...] = ()
    superseded_fills: tuple[str, ...] = ()
    pending_stage: str | None = None
    """None leaves the stage as it is while an action is pending; it goes with the action."""
    pending_parameters: dict[str, Any] | None = None
    send_deadline: datetime | None = None
    answer: BrokerAnswer | None = None

    def followed_by(self, later: "Change") -> "Change":
        return replace(
            later,
            before=self.before,
            after=later.after.model_copy(update={"version": self.before.version + 1}),
            fills=self.fills + later.fills,
            superseded_fills=self.superseded_fills + later.superseded_fills,
            pending_stage=later.pending_stage or self.pending_stage,
            pending_parameters=later.pending_parameters or self.pending_parameters,
            send_deadline=later.send_deadline or self.send_deadline,
            answer=later.answer or self.answer,
        )
