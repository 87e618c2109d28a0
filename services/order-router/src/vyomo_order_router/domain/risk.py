"""Pre-trade risk: small rules, each with its stable code. Only an `Approved` order can be routed.

A refusal here is not the caller's mistake but our decision, so it is recorded as a DENIED order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.messages import Problem
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode


@dataclass(frozen=True, slots=True)
class Approved:
    request: OrderRequest


@dataclass(frozen=True, slots=True)
class Denied:
    request: OrderRequest
    problem: Problem


Decision = Approved | Denied


class RiskRule(Protocol):
    def check(self, request: OrderRequest, instrument: Instrument) -> Problem | None: ...


class FreezeQuantity:
    """The exchange refuses a single order above the contract's freeze quantity (NSE/FAOP circulars, monthly)."""

    def check(self, request: OrderRequest, instrument: Instrument) -> Problem | None:
        freeze = instrument.freeze_quantity
        if freeze is None or request.quantity <= freeze:
            return None
        largest = freeze // instrument.lot_size * instrument.lot_size
        return Problem(
            code=ReasonCode.RISK_QUANTITY_ABOVE_FREEZE,
            field="quantity",
            message=f"quantity {request.quantity} is above the exchange's freeze quantity {freeze} for {request.symbol}; "
            f"at most {largest} in one order, so split it",
            detail={"limit": freeze, "value": request.quantity, "largestOrder": largest},
        )


@dataclass(frozen=True, slots=True)
class OrderValue:
    """A guard against a slipped finger: price x quantity above what one order may be worth."""

    limit: Decimal

    def check(self, request: OrderRequest, instrument: Instrument) -> Problem | None:
        price = request.price or request.trigger_price or instrument.reference_price
        value = price * request.quantity * instrument.multiplier
        if value <= self.limit:
            return None
        return Problem(
            code=ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT,
            field="quantity",
            message=f"the order is worth about {value:.2f} rupees; one order may be worth at most {self.limit:.2f}",
            detail={"limit": str(self.limit), "value": str(value)},
        )


def decide(rules: Sequence[RiskRule], request: OrderRequest, instrument: Instrument) -> Decision:
    for rule in rules:
        problem = rule.check(request, instrument)
        if problem is not None:
            return Denied(request, problem)
    return Approved(request)
