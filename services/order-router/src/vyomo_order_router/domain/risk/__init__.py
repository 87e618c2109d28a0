"""Pre-trade risk: small rules, each with its stable code. Only an `Approved` order can be routed.

A refusal here is not the caller's mistake but our decision, so it is recorded as a DENIED order.
"""

from vyomo_order_router.domain.risk.account_rules import (
    DuplicateOrder,
    Exposure,
    OpenOrders,
    PositionQuantity,
    ReduceOnly,
    Trading,
)
from vyomo_order_router.domain.risk.decision import Approved, Decision, Denied, Proposal, RiskRule, decide
from vyomo_order_router.domain.risk.order_rules import FreezeQuantity, OrderQuantity, OrderValue, PriceBand
from vyomo_order_router.domain.risk.standing import NOT_READ, Holding, OpenOrder, Standing, fingerprint

RULES: tuple[RiskRule, ...] = (
    Trading(),
    ReduceOnly(),
    FreezeQuantity(),
    OrderQuantity(),
    OrderValue(),
    PriceBand(),
    DuplicateOrder(),
    OpenOrders(),
    PositionQuantity(),
    Exposure(),
)
"""In the order they are asked; the first that refuses names the reason."""

__all__ = [
    "NOT_READ",
    "RULES",
    "Approved",
    "Decision",
    "Denied",
    "DuplicateOrder",
    "Exposure",
    "FreezeQuantity",
    "Holding",
    "OpenOrder",
    "OpenOrders",
    "OrderQuantity",
    "OrderValue",
    "PositionQuantity",
    "PriceBand",
    "Proposal",
    "ReduceOnly",
    "RiskRule",
    "Standing",
    "Trading",
    "decide",
    "fingerprint",
]
