"""Limits, switches and decisions as they are set and as they are shown."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType
from pydantic import BeforeValidator, Field, Strict, StringConstraints

from vyomo_contracts.identifiers import IDEMPOTENCY_KEY_MAX_LENGTH
from vyomo_contracts.messages import Problem
from vyomo_contracts.money import Quantity
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk import AccountTrading, Control, Percent, RiskDecision, RiskLimits, Rupees, Seconds
from vyomo_contracts.risk_commands import Exit, RiskView
from vyomo_contracts.vocabulary import Broker, ControlCause, ControlScope, TradingState
from vyomo_gateway.edge.bodies import Body, only_numbers
from vyomo_gateway.edge.encoding import Time, View, optional_number, time_text
from vyomo_gateway.orders.schemas import OrderView
from vyomo_gateway.orders.trails import ActorView

Reason = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Numeric = BeforeValidator(only_numbers)


class RiskLimitsBody(Body):
    """The level's limits as a whole: what is left out, or null, is not limited here, and the level above decides."""

    max_order_quantity: Annotated[Quantity, Strict()] | None = Field(default=None, examples=[1800])
    """Units (MCX: lots) of one order."""
    max_order_value: Annotated[Rupees, _Numeric] | None = Field(default=None, examples=[500000])
    """Rupees one order may be worth."""
    max_open_orders: Annotated[int, Strict(), Field(ge=1, le=100_000)] | None = Field(
        default=None, examples=[20]
    )
    max_position_quantity: Annotated[Quantity, Strict()] | None = None
    """Net units of one instrument, long or short, should every open order of its side fill."""
    max_exposure: Annotated[Rupees, _Numeric] | None = None
    """Rupees of all positions, long and short added up, should the open orders fill in the worst way."""
    price_band_percent: Annotated[Percent, _Numeric] | None = Field(default=None, examples=[3])
    """How far price and triggerPrice may be from the last price."""
    orders_per_second: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] | None = None
    """Of one account, two of them kept for cancellations. A real broker's own limit cannot be raised."""
    duplicate_window_seconds: Annotated[Seconds, _Numeric] | None = Field(default=None, examples=[2])
    """An order equal to one of this long ago, under another key, is refused as a slip."""
    daily_loss_limit: Annotated[Rupees, _Numeric] | None = Field(default=None, examples=[10000])
    """Loss of the day from which on the account may only reduce its positions until midnight in India."""
    reduce_only: Annotated[bool, Strict()] | None = None


class KillBody(Body):
    """`global` is all your accounts, `broker` (with `id`, e.g. "zerodha") those at one broker, `account` (with `id`) one."""

    scope: ControlScope
    id: Annotated[int, Strict(), Field(ge=1)] | Broker | None = Field(default=None, examples=[1])
    state: TradingState
    reason: Reason = Field(examples=["strategy went wild"])


class ExitAllBody(Body):
    account_id: Annotated[int, Strict(), Field(ge=1)] | None = Field(default=None, examples=[1])
    """All your accounts unless said otherwise."""
    key: Annotated[
        str, StringConstraints(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_LENGTH, pattern=r"^[\x21-\x7e]+$")
    ] = Field(examples=["panic-2026-02-12"])
    """Yours: the same key never closes a position twice."""


class RiskLimitsView(View, frozen=True, kw_only=True):
    max_order_quantity: int | None
    max_order_value: Decimal | None
    max_open_orders: int | None
    max_position_quantity: int | None
    max_exposure: Decimal | None
    price_band_percent: Decimal | None
    orders_per_second: int | None
    duplicate_window_seconds: Decimal | None
    daily_loss_limit: Decimal | None
    reduce_only: bool | None

    @classmethod
    def of(cls, limits: RiskLimits) -> "RiskLimitsView":
        return cls(
            max_order_quantity=limits.max_order_quantity,
            max_order_value=optional_number(limits.max_order_value),
            max_open_orders=limits.max_open_orders,
            max_position_quantity=limits.max_position_quantity,
            max_exposure=optional_number(limits.max_exposure),
            price_band_percent=optional_number(limits.price_band_percent),
            orders_per_second=limits.orders_per_second,
            duplicate_window_seconds=optional_number(limits.duplicate_window_seconds),
            daily_loss_limit=optional_number(limits.daily_loss_limit),
            reduce_only=limits.reduce_only,
        )


class AccountTradingView(View, frozen=True, kw_only=True):
    account_id: int
    broker: Broker
    state: TradingState
    version: int
    """One more at each change of the account's limits or state."""

    @classmethod
    def of(cls, account: AccountTrading) -> "AccountTradingView":
        return cls(
            account_id=account.account_id,
            broker=account.broker,
            state=account.trading,
            version=account.version,
        )


class ControlView(View, frozen=True, kw_only=True):
    """A switch that restrains; the most restrictive one of those that cover an account is the account's state."""

    scope: ControlScope
    id: str | None
    everyone: bool
    """True for one of the installation's operator, which you cannot release."""
    cause: ControlCause
    state: TradingState
    reason: str
    actor: str
    """The API key that threw it, or the service."""
    until: Time | None
    """When it ends by itself; nobody can release it before."""
    changed_at: Time

    @classmethod
    def of(cls, control: Control) -> "ControlView":
        everyone = not control.user_id
        return cls(
            scope=control.scope,
            id=control.scope_id or None,
            everyone=everyone,
            cause=control.cause,
            state=control.state,
            reason=control.reason,
            # An operator's key is nobody else's business.
            actor="operator" if everyone else control.actor,
            until=None if control.until is None else time_text(control.until),
            changed_at=time_text(control.changed_at),
        )


class RiskEventView(View, frozen=True, kw_only=True, tag_field="kind", tag="risk"):
    """A decision about limits or states, in the one order of all events."""

    sequence: int
    type: str
    """risk.switched, risk.limits_changed or risk.exit_all."""
    recorded_at: Time
    actor: str
    scope: ControlScope
    id: str | None
    cause: ControlCause | None
    state: TradingState | None
    reason: str | None
    until: Time | None
    limits: RiskLimitsView | None
    accounts: list[AccountTradingView]
    order_ids: list[str]
    by: ActorView | UnsetType = UNSET
    """Who it was and where from; told by the record, not over the WebSocket."""

    @classmethod
    def of(cls, decision: RiskDecision, sequence: int, by: ActorView | UnsetType = UNSET) -> "RiskEventView":
        return cls(
            sequence=sequence,
            type=decision.type,
            recorded_at=time_text(decision.at),
            actor=decision.actor,
            scope=decision.scope,
            id=decision.scope_id or None,
            cause=decision.cause,
            state=decision.state,
            reason=decision.reason,
            until=None if decision.until is None else time_text(decision.until),
            limits=None if decision.limits is None else RiskLimitsView.of(decision.limits),
            accounts=[AccountTradingView.of(account) for account in decision.accounts],
            order_ids=list(decision.order_ids),
            by=by,
        )


class RiskLimitsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    limits: RiskLimitsView
    """As set at this level."""
    effective: RiskLimitsView
    """As they apply, with the levels above and the defaults."""

    @classmethod
    def of(cls, risk: RiskView) -> "RiskLimitsAnswer":
        return cls(limits=RiskLimitsView.of(risk.limits), effective=RiskLimitsView.of(risk.effective))


class RiskStateAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    accounts: list[AccountTradingView]
    controls: list[ControlView]
    """The switches that are not at ACTIVE."""

    @classmethod
    def of(cls, risk: RiskView) -> "RiskStateAnswer":
        return cls(
            accounts=[AccountTradingView.of(account) for account in risk.accounts],
            controls=[ControlView.of(control) for control in risk.controls],
        )


class ExitProblemView(View, frozen=True, kw_only=True):
    code: ReasonCode
    message: str

    @classmethod
    def of(cls, problem: Problem) -> "ExitProblemView":
        return cls(code=problem.code, message=problem.message)


class ExitView(View, frozen=True, kw_only=True):
    account_id: int
    exchange: str
    symbol: str
    product: str
    quantity: int
    order: OrderView | UnsetType = UNSET
    error: ExitProblemView | UnsetType = UNSET
    """Why there is no order, or why it was denied."""

    @classmethod
    def of(cls, exit_: Exit) -> "ExitView":
        return cls(
            account_id=exit_.account_id,
            exchange=exit_.exchange,
            symbol=exit_.symbol,
            product=exit_.product,
            quantity=exit_.quantity,
            order=UNSET if exit_.order is None else OrderView.of(exit_.order),
            error=UNSET if exit_.problem is None else ExitProblemView.of(exit_.problem),
        )


class ExitAllAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    complete: bool
    """False when an order was not recorded (repeat with the same key) or denied (it needs another key)."""
    exits: list[ExitView]
    """One order each; none for what open orders close already."""
