"""Rules about the account the order is for. What only reduces a position is held up by none but the trading state."""

from decimal import Decimal

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import TradingState
from vyomo_order_router.domain.risk.decision import Proposal
from vyomo_order_router.domain.risk.standing import fingerprint


class Trading:
    def check(self, proposal: Proposal) -> Problem | None:
        match proposal.trading:
            case TradingState.ACTIVE:
                return None
            case TradingState.HALTED:
                return Problem(
                    code=ReasonCode.TRADING_HALTED,
                    message="trading is halted; GET /api/risk/state tells why, only cancellations are possible",
                )
            case TradingState.REDUCING:
                code, why = ReasonCode.TRADING_REDUCING, "the account may only reduce positions now"
                return None if proposal.is_reducing else _not_reducing(proposal, code, why)


class ReduceOnly:
    def check(self, proposal: Proposal) -> Problem | None:
        if not proposal.limits.reduce_only or proposal.is_reducing:
            return None
        why = "the account is set to only reduce positions (reduceOnly)"
        return _not_reducing(proposal, ReasonCode.RISK_REDUCE_ONLY, why)


class DuplicateOrder:
    """The same order again under another key, soon after the first: a double click, or a program in a loop."""

    def check(self, proposal: Proposal) -> Problem | None:
        seconds = proposal.limits.duplicate_window_seconds
        if seconds is None or not proposal.standing.recent.get(fingerprint(proposal.request)):
            return None
        return Problem(
            code=ReasonCode.RISK_DUPLICATE_ORDER,
            message=f"an equal order was placed within the last {seconds} seconds (duplicateWindowSeconds); "
            "if you mean it, wait, or change something",
            detail={"limit": str(seconds)},
        )


class OpenOrders:
    def check(self, proposal: Proposal) -> Problem | None:
        limit, count = proposal.limits.max_open_orders, len(proposal.standing.orders)
        if limit is None or count < limit or proposal.is_reducing:
            return None
        return Problem(
            code=ReasonCode.RISK_OPEN_ORDERS_ABOVE_LIMIT,
            message=f"the account has {count} open orders; your limit is {limit} (maxOpenOrders)",
            detail={"limit": limit, "value": count},
        )


class PositionQuantity:
    """The position in the instrument, should this and everything open of its side fill."""

    def check(self, proposal: Proposal) -> Problem | None:
        limit, request = proposal.limits.max_position_quantity, proposal.to_fill
        if limit is None:
            return None
        worst = proposal.standing.worst_quantity(request) + request.quantity
        if worst <= limit or proposal.is_reducing:
            return None
        return Problem(
            code=ReasonCode.RISK_POSITION_ABOVE_LIMIT,
            field="quantity",
            message=f"the position in {request.symbol} could become {worst}, open orders included; "
            f"your limit is {limit} (maxPositionQuantity)",
            detail={"limit": limit, "value": worst},
        )


class Exposure:
    """What all positions could be worth, should the open orders fill in the worst way."""

    def check(self, proposal: Proposal) -> Problem | None:
        limit = proposal.limits.max_exposure
        if limit is None or proposal.is_reducing:
            return None
        before = proposal.standing.exposure()
        after = proposal.standing.with_order(proposal.to_fill, proposal.instrument).exposure()
        if after <= limit or after <= before:
            return None
        return Problem(
            code=ReasonCode.RISK_EXPOSURE_ABOVE_LIMIT,
            field="quantity",
            message=f"the account's positions could become worth {after:.2f} rupees, open orders included; "
            f"your limit is {limit:.2f} (maxExposure)",
            detail={"limit": str(limit), "value": str(after.quantize(Decimal("0.01")))},
        )


def _not_reducing(proposal: Proposal, code: ReasonCode, why: str) -> Problem:
    request = proposal.to_fill
    possible = max(proposal.standing.reducible(request), 0)
    return Problem(
        code=code,
        field="quantity",
        message=f"{why}; a {request.transaction_type} of {request.symbol} ({request.product}) could take off {possible}, "
        f"open orders considered, not {request.quantity}",
        detail={"limit": possible, "value": request.quantity},
    )
