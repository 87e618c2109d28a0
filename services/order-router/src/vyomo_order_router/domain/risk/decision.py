"""What rules are asked, and the two answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.messages import Problem
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.vocabulary import TradingState
from vyomo_order_router.domain.risk.standing import NOT_READ, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order that the exchange could take, and what bears on whether it may be sent."""

    request: OrderRequest
    instrument: Instrument
    limits: RiskLimits
    trading: TradingState = TradingState.ACTIVE
    standing: Standing = NOT_READ
    """Read only where the limits or the state need it."""
    last_price: Decimal | None = None
    """Asked for only where a price band is set."""
    filled_quantity: int = 0
    """Of an order that is being changed: this much of it is in the position already."""

    @property
    def to_fill(self) -> OrderRequest:
        """The part that may still change the position."""
        remaining = self.request.quantity - self.filled_quantity
        return (
            self.request.model_copy(update={"quantity": remaining}) if self.filled_quantity else self.request
        )

    @property
    def is_reducing(self) -> bool:
        return self.standing.is_reducing(self.to_fill)


@dataclass(frozen=True, slots=True)
class Approved:
    """Every rule was asked and none refused. Only `decide` makes one."""

    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Denied:
    request: OrderRequest
    problem: Problem


Decision = Approved | Denied


class RiskRule(Protocol):
    def check(self, proposal: Proposal) -> Problem | None: ...


def decide(rules: Sequence[RiskRule], proposal: Proposal) -> Decision:
    for rule in rules:
        problem = rule.check(proposal)
        if problem is not None:
            return Denied(proposal.request, problem)
    return Approved(proposal.request)
