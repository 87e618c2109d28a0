"""Model value of an option: Black-76 on the carried forward at a fixed smile (market.md §10).

This is the one place where a model's float becomes a price, and it does so by counting ticks: what leaves this module is a
whole number of ticks.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from vyomo_contracts.vocabulary import OptionType
from vyomo_paper_exchange.domain.times import SETTLEMENT_TIME, ist

CARRY_PERCENT: Final = Decimal("6.5")
_CARRY: Final = float(CARRY_PERCENT) / 100
_SECONDS_PER_YEAR: Final = 365 * 86_400
_AT_THE_MONEY_VOLATILITY: Final = 0.125
_SKEW: Final = -0.45
_CURVATURE: Final = 2.2
_LOWEST_VOLATILITY: Final = 0.08
_HIGHEST_VOLATILITY: Final = 0.60
_SQRT_TWO: Final = math.sqrt(2.0)


def years_to_expiry(at: datetime, expiry: date) -> float:
    """Years until settlement at 15:30 IST of the expiry day; 0 once it passed."""
    return max((ist(expiry, SETTLEMENT_TIME) - at).total_seconds(), 0.0) / _SECONDS_PER_YEAR


def forward_price(spot: Decimal, on: date, expiry: date) -> Decimal:
    """Spot with simple carry, unrounded: what a future of that expiry is worth on `on`."""
    return spot * (1 + CARRY_PERCENT * max((expiry - on).days, 0) / 36_500)


def carried(spot: float, years: float) -> float:
    return spot * (1.0 + _CARRY * years)


@dataclass(frozen=True, slots=True)
class OptionModel:
    """An option with its volatility, which stays with the strike while the market moves."""

    strike: float
    option_type: OptionType
    tick: float
    volatility: float

    @classmethod
    def listed(cls, strike: Decimal, option_type: OptionType, tick: Decimal, spot: Decimal) -> "OptionModel":
        """`spot` is the reference price of the underlying, around which the smile lies."""
        distance = math.log(float(strike) / float(spot))
        smile = _AT_THE_MONEY_VOLATILITY + _SKEW * distance + _CURVATURE * distance * distance
        volatility = min(max(smile, _LOWEST_VOLATILITY), _HIGHEST_VOLATILITY)
        return cls(float(strike), option_type, float(tick), volatility)

    def ticks(self, forward: float, years: float) -> int:
        """The value in ticks, at least one. Rising in the forward for a call, falling for a put, at any fixed time."""
        call = self._call(forward, years)
        value = call if self.option_type is OptionType.CE else call - forward + self.strike
        return max(round(value / self.tick), 1)

    def _call(self, forward: float, years: float) -> float:
        if years <= 0.0:
            return max(forward - self.strike, 0.0)
        deviation = self.volatility * math.sqrt(years)
        moneyness = math.log(forward / self.strike) / deviation
        upper, lower = moneyness + deviation / 2, moneyness - deviation / 2
        return forward * _normal(upper) - self.strike * _normal(lower)


def _normal(value: float) -> float:
    return 0.5 * (1.0 + math.erf(value / _SQRT_TWO))
