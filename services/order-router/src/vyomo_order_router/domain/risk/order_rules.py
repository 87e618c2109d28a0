"""Rules about the order itself."""

from decimal import Decimal

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_order_router.domain.risk.decision import Proposal
from vyomo_order_router.domain.risk.standing import unit_value


class FreezeQuantity:
    """The exchange refuses a single order above the contract's freeze quantity (NSE/FAOP circulars, monthly)."""

    def check(self, proposal: Proposal) -> Problem | None:
        request, instrument = proposal.request, proposal.instrument
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


class OrderQuantity:
    def check(self, proposal: Proposal) -> Problem | None:
        limit, quantity = proposal.limits.max_order_quantity, proposal.request.quantity
        if limit is None or quantity <= limit:
            return None
        return Problem(
            code=ReasonCode.RISK_ORDER_QUANTITY_ABOVE_LIMIT,
            field="quantity",
            message=f"quantity {quantity} is above your limit of {limit} an order (maxOrderQuantity)",
            detail={"limit": limit, "value": quantity},
        )


class OrderValue:
    """A guard against a slipped finger: price x quantity above what one order may be worth."""

    def check(self, proposal: Proposal) -> Problem | None:
        limit = proposal.limits.max_order_value
        value = unit_value(proposal.request, proposal.instrument) * proposal.request.quantity
        if limit is None or value <= limit:
            return None
        return Problem(
            code=ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT,
            field="quantity",
            message=f"the order is worth about {value:.2f} rupees; one order may be worth at most {limit:.2f}",
            detail={"limit": str(limit), "value": str(value)},
        )


class PriceBand:
    """A guard against a slipped digit: a price or trigger further from the last price than the limit says.

    Without a last price nothing can be said, and an entry waits for one; an exit must not.
    """

    def check(self, proposal: Proposal) -> Problem | None:
        percent, request = proposal.limits.price_band_percent, proposal.request
        prices = {"price": request.price, "triggerPrice": request.trigger_price or Decimal(0)}
        named = {field: price for field, price in prices.items() if price}
        if percent is None or not named:
            return None
        last = proposal.last_price
        if not last:
            return None if proposal.is_reducing else _no_last_price(request.symbol)
        for field, price in named.items():
            away = abs(price - last) * 100 / last
            if away > percent:
                return Problem(
                    code=ReasonCode.RISK_PRICE_FAR_FROM_LAST,
                    field=field,
                    message=f"{field} {price} is {away:.2f} % from the last price {last}; your limit is {percent} % (priceBandPercent)",
                    detail={"limit": str(percent), "value": f"{away:.4f}", "lastPrice": str(last)},
                )
        return None


def _no_last_price(symbol: str) -> Problem:
    return Problem(
        code=ReasonCode.RISK_LAST_PRICE_UNKNOWN,
        field="price",
        message=f"{symbol} has no last price now, so your price limit (priceBandPercent) cannot be checked; try again",
    )
