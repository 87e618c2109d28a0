"""Limits, trading states and what was decided about them."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.money import Quantity
from vyomo_contracts.vocabulary import Broker, ControlCause, ControlScope, TradingState

Rupees = Annotated[Decimal, Field(gt=0, max_digits=24, decimal_places=4, allow_inf_nan=False)]
Percent = Annotated[Decimal, Field(gt=0, le=100, max_digits=9, decimal_places=4, allow_inf_nan=False)]
Seconds = Annotated[Decimal, Field(gt=0, le=3600, max_digits=9, decimal_places=4, allow_inf_nan=False)]


class RiskLimits(Tolerant):
    """Limits of one level: a user, or one account of theirs. None says nothing; the level above is asked, then the defaults."""

    max_order_quantity: Quantity | None = None
    """Units (MCX: lots) of one order."""
    max_order_value: Rupees | None = None
    """Rupees one order may be worth."""
    max_open_orders: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_position_quantity: Quantity | None = None
    """Net units of one instrument, long or short, should every open order of its side fill."""
    max_exposure: Rupees | None = None
    """Rupees of all positions, long and short added up, should the open orders fill in the worst way."""
    price_band_percent: Percent | None = None
    """How far a price may be from the last one."""
    orders_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Of one account, in a calendar second; some of them are kept for cancellations."""
    duplicate_window_seconds: Seconds | None = None
    """An order equal to one of this long ago, under another key, is taken for a slip."""
    daily_loss_limit: Rupees | None = None
    """Loss of the day, open positions valued at the last price, from which on the account may only reduce until midnight in India."""
    reduce_only: bool | None = None

    def over(self, below: "RiskLimits") -> "RiskLimits":
        """These where they say something, `below` where they do not."""
        said = {name: value for name in RiskLimits.model_fields if (value := getattr(self, name)) is not None}
        return below.model_copy(update=said)

    @property
    def need_standing(self) -> bool:
        """Whether they cannot be checked without knowing the account's orders and positions."""
        return bool(
            self.reduce_only
            or self.max_open_orders
            or self.max_position_quantity
            or self.max_exposure
            or self.duplicate_window_seconds
        )


class Control(Tolerant):
    """A switch that was thrown, as it now stands. The most restrictive of those that cover an account is the account's state."""

    user_id: str
    """Whose accounts it covers; empty for everybody's."""
    scope: ControlScope
    scope_id: str
    """The broker's word or the account's number; empty for `global`."""
    cause: ControlCause
    state: TradingState
    reason: str
    actor: str
    """The API key that threw it, or the service."""
    until: Instant | None = None
    """When it ends by itself. Until then nobody can release it."""
    version: int
    changed_at: Instant


class AccountTrading(Tolerant):
    """What an account may do now."""

    account_id: int
    user_id: str
    broker: Broker
    trading: TradingState
    version: int
    """One more at each change of the account's limits or state."""


class RiskDecision(Tolerant):
    """An entry of the record about limits and states; orders' own denials are order events."""

    type: Literal["risk.switched", "risk.limits_changed", "risk.exit_all"]
    user_id: str
    actor: str
    at: Instant
    scope: ControlScope
    scope_id: str = ""
    cause: ControlCause | None = None
    state: TradingState | None = None
    reason: str | None = None
    until: Instant | None = None
    limits: RiskLimits | None = None
    """The level's limits as they now are."""
    accounts: tuple[AccountTrading, ...] = ()
    """The accounts it concerns, as they now are."""
    order_ids: tuple[str, ...] = ()
    """The orders an exit-all placed."""
