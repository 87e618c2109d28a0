"""Which limits apply: an account's own before its user's before the defaults, and no one's above the broker's."""

from vyomo_contracts.capabilities import OrderRate
from vyomo_contracts.risk import RiskLimits


def effective_limits(
    rate: OrderRate, *, defaults: RiskLimits, user: RiskLimits, account: RiskLimits
) -> RiskLimits:
    """With the order rate filled in."""
    limits = account.over(user.over(defaults))
    wanted = limits.orders_per_second or rate.per_second
    if rate.is_brokers:
        wanted = min(wanted, rate.per_second)
    return limits.model_copy(update={"orders_per_second": wanted})


def effective_rate(rate: OrderRate, limits: RiskLimits) -> OrderRate:
    """The rate with the account's own orders per second. What is kept for cancellations stays as it is."""
    return rate.model_copy(update={"per_second": limits.orders_per_second or rate.per_second})
